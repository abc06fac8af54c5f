"""serve: clients that let it wait, or that send what is not HTTP."""

import contextlib
import socket
import time

import numpy as np
import pytest

from ferkit.recognition.recognizer import Recognizer
from ferkit.serving.limits import Limits
from tests.support.serving_client import ask, encoded, memory, post, raw, served, wait_until

SHORT = Limits(batch=4, header_seconds=1, upload_seconds=1, drain_seconds=0.3, read_seconds=0.5)  # fmt: skip
FACE = encoded(np.random.default_rng(1).integers(0, 256, (48, 48)), "PNG")
HOST = b"Host: 127.0.0.1\r\n"
CHUNKED = HOST + b"Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
GET, POST = b"GET /healthz HTTP/1.1\r\n", b"POST /v1/predict HTTP/1.1\r\n"


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer("deep_emotion_paper-fer2013", detector="none")


@pytest.fixture(scope="module")
def server(recognizer):
    with served(recognizer, SHORT, detector="none", warm_up=()) as (port, server):
        yield port, server


@pytest.fixture
def port(server, caplog):
    """The port; afterwards every connection is closed, the server answers, and nothing is logged."""
    number, uvicorn_server = server
    yield number
    wait_until(lambda: not uvicorn_server.server_state.connections)
    assert post(number, FACE)[0] == 200
    assert caplog.text == ""


@pytest.mark.parametrize(
    "pieces",
    [
        (),
        (GET[:9],),
        (GET + HOST + b"\r\n", GET[:9]),
        (GET + CHUNKED, b"5"),  # answered, then half a chunk
        (GET + HOST + b"Content-Length: 50\r\n\r\n", b"a part of it"),
        (POST + CHUNKED, b"5\r\nhel"),
        (POST + HOST + b"Expect: 100-continue\r\nContent-Length: 50\r\n\r\n",),
    ],
)
def test_silent_connections_are_closed_by_a_deadline(pieces, port):
    with contextlib.ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            for _ in range(15)
        ]
        for piece in pieces:
            for connection in connections:
                connection.sendall(piece)
            assert ask(port, "GET", "/healthz")[0] == 200  # the piece has arrived
        for connection in connections:
            _read_until_closed(connection)  # raises TimeoutError after 20 s


def test_bytes_that_trickle_after_an_answer_do_not_move_the_deadline(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(GET + CHUNKED)
        with pytest.raises(ConnectionError):  # noqa: PT012
            for _ in range(200):
                connection.sendall(b"1\r\nx\r\n")
                time.sleep(0.1)


@pytest.mark.parametrize("head", [POST + CHUNKED + b"1\r\nx\r\n0\r\n", GET + CHUNKED + b"0\r\n"])
def test_endless_trailers_end_the_connection_and_take_no_memory(head, port):
    before, sent, trailers = memory(), 0, b"X:\r\n" * 16_384
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head)
        with pytest.raises(ConnectionError):  # noqa: PT012
            while sent < 40_000_000:
                connection.sendall(trailers)
                sent += len(trailers)
    assert memory() - before < 30


@pytest.mark.parametrize(
    ("size", "status"),
    [(b"z", 400), (b"-5", 400), (b"5\nhello", 400), (b"f" * 40, 400), (b"f" * 17, 408)],
)
def test_bad_chunk_sizes_are_answered(size, status, port):
    for request in (POST, GET) if status == 400 else (POST,):
        answer = raw(port, request + CHUNKED + size + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 %d " % status)


def test_a_bad_chunk_after_the_answer_closes_the_connection(port):
    answer = raw(port, GET + CHUNKED, b"z\r\n", pause=0.2)
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("apart", [False, True])
def test_an_offer_of_http2_is_answered_in_http1_with_its_body(apart, port):
    offer = b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    head = POST + HOST + offer + b"Content-Length: %d\r\n\r\n" % len(FACE)
    answer = raw(port, head, FACE, pause=0.1) if apart else raw(port, head + FACE)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"faces_found":1' in answer


def test_a_client_that_reads_nothing_is_dropped(port):
    requests = (b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n") * 100
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
        pytest.raises(ConnectionError),
    ):
        _send_for_ever(connection, requests)


def test_headers_without_end_are_refused(port):
    answer = raw(port, GET + HOST + b"X: " + b"y" * 200_000 + b"\r\n\r\n")
    assert answer[:13] in (b"HTTP/1.1 400 ", b"")  # a reset may overtake the answer


def test_too_many_connections_are_told(recognizer):
    limits = Limits(connections=2)
    with served(recognizer, limits, detector="none", warm_up=()) as (port, _):
        with (
            socket.create_connection(("127.0.0.1", port)),
            socket.create_connection(("127.0.0.1", port)),
        ):
            status, answer, _ = ask(port, "GET", "/healthz")
        assert (status, answer) == (503, {"error": "too many connections; try again in a second."})
        wait_until(lambda: ask(port, "GET", "/healthz")[0] == 200)


def _read_until_closed(connection):
    with contextlib.suppress(ConnectionError):
        while connection.recv(65536):
            pass


def _send_for_ever(connection, content):
    while True:
        connection.sendall(content)
