"""serve under load: a thousand requests at once, and noise; what stays is the server."""

import collections
import concurrent.futures
import socket

import numpy as np
import pytest

from ferkit.recognition.recognizer import Recognizer
from ferkit.serving.limits import Limits
from tests.support.serving_client import (
    JPEG,
    ask,
    encoded,
    fuzz_photos,
    fuzz_requests,
    memory,
    post,
    served,
)

pytestmark = pytest.mark.slow
FACE = encoded(np.random.default_rng(1).integers(0, 256, (48, 48)), "PNG")


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer("deep_emotion_paper-fer2013", detector="none")


def test_a_thousand_requests_at_once_are_answered_or_told_to_wait(recognizer):
    with served(recognizer, Limits(waiting=64), detector="none") as (port, _):
        post(port, FACE)
        request = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nConnection: close\r\n"
        request += f"Content-Length: {len(FACE)}\r\n\r\n".encode() + FACE
        sockets = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(1000)]
        before = memory()
        for own in sockets:
            own.sendall(request)
        codes = collections.Counter(_status(own) for own in sockets)
        assert sum(codes.values()) == 1000
        assert set(codes) <= {200, 429}
        assert codes[200] >= 64
        assert memory() - before < 100
        assert post(port, FACE)[0] == 200


def _status(connection):
    with connection:
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.endswith(b"}\n")
    return int(answer.split(b" ", 2)[1])


def test_sixty_four_clients_get_no_error(recognizer):
    with (
        served(recognizer, Limits(), detector="none") as (port, _),
        concurrent.futures.ThreadPoolExecutor(64) as pool,
    ):
        codes = collections.Counter(
            status for status, _ in pool.map(lambda _: post(port, FACE), range(1000))
        )
    assert codes == {200: 1000}


def test_noise_gets_no_500_and_leaves_no_memory(recognizer):
    photos, numbers, codes, marks = (
        fuzz_photos(),
        np.random.default_rng(7),
        collections.Counter(),
        [],
    )

    def send(request):
        path, body, headers = request
        headers = {name: value.encode("latin-1") for name, value in headers.items()}
        return ask(port, "POST", path, body, headers)[0]

    with served(recognizer, Limits(), detector="auto", warm_up=("predict", "explain")) as (port, _):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for _ in range(4):
                codes.update(pool.map(send, fuzz_requests(numbers, photos, 200)))
                marks.append(memory())
        assert ask(port, "GET", "/healthz", headers=JPEG)[0] == 200
    assert set(codes) <= {200, 400, 413, 415, 422}, codes
    assert codes[200] > 100
    assert codes[415] > 100
    assert marks[-1] - marks[0] < 60
