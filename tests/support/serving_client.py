"""A server on a free port in this process, and requests to it by plain sockets.

What the tests of serve share.
"""

import contextlib
import http.client
import io
import json
import socket
import threading
import time

import numpy as np
from PIL import Image

from ferkit.serving.limits import Limits
from ferkit.serving.server import listen, make_server

JPEG = {"Content-Type": "image/jpeg"}


@contextlib.contextmanager
def served(recognizer, limits=None, warm_up=("predict",), **options):
    """The port of a server that runs until the block ends, and the server."""
    with listen("127.0.0.1", 0) as listener:
        server = make_server(
            recognizer, limits=limits or Limits(batch=4), warm_up=warm_up, **options
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        try:
            yield listener.getsockname()[1], server
        finally:
            server.should_exit = True
            thread.join(timeout=30)
            assert not thread.is_alive(), "the server did not stop"


def ask(port, method, path, body=None, headers=None):
    """(status, JSON or text, headers) of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        content = response.read().decode("utf-8")
        if response.headers["Content-Type"] == "application/json":
            assert content.count("\n") <= 1, "one line"
            content = json.loads(content)
        return response.status, content, response.headers
    finally:
        connection.close()


def post(port, body, path="/v1/predict", headers=JPEG):
    """(status, JSON) of one photo."""
    return ask(port, "POST", path, body, headers)[:2]


def raw(port, *pieces, pause=0.0, timeout=20.0):
    """Send pieces over a socket; all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                answer += part
        return answer


def form(content, field="file", boundary="xYz", end=True):
    """(body, headers) of a multipart form."""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="secret-name.jpg"\r\n\r\n'.encode()
    tail = f"\r\n--{boundary}--\r\n".encode() if end else b""
    return head + content + tail, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def encoded(pixels, kind="JPEG"):
    """An array as a picture file's bytes."""
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def wait_until(true, seconds=30.0):
    """Until `true()` holds."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def memory():
    """Resident memory of this process in MB."""
    with open("/proc/self/statm") as numbers:
        return int(numbers.read().split()[1]) * 4096 / 1e6


# ---- noise


def fuzz_requests(rng, photos, count):
    """Requests as (path, body, headers): random bytes, mutated photos and forms; the same for the
    same generator.

    Args:
        rng: a NumPy generator.
        photos: bytes of whole photos.
        count: how many.
    """
    for _ in range(count):
        photo = photos[rng.integers(len(photos))]
        body = _MUTATIONS[rng.integers(len(_MUTATIONS))](rng, photo)
        headers = dict(JPEG)
        if rng.random() < 0.4:
            body, headers = form(body, end=rng.random() < 0.9)
            if rng.random() < 0.5:
                body = _mutated(rng, body)
        elif rng.random() < 0.1:
            headers = {"Content-Type": _random_text(rng)}
        path = "/v1/explain" if rng.random() < 0.05 else "/v1/predict"
        yield (
            path + ("", "?detector=none", "?detector=auto", "?detector=x%00")[rng.integers(4)],
            body,
            headers,
        )


def _mutated(rng, content):
    """Some bytes changed, or a piece cut out, doubled or moved."""
    content = bytearray(content)
    for _ in range(1 + rng.integers(8)):
        if not content:
            break
        place, length = int(rng.integers(len(content))), int(rng.integers(1, 64))
        kind = rng.integers(4)
        if kind == 0:
            content[place] = int(rng.integers(256))
        elif kind == 1:
            del content[place : place + length]
        elif kind == 2:
            content[place:place] = content[place : place + length]
        else:
            content[place : place + length] = rng.bytes(length)
    return bytes(content)


def _header_mutated(rng, content):
    return _mutated(rng, content[:200]) + content[200:]


_MUTATIONS = (
    lambda rng, photo: rng.bytes(int(rng.integers(0, 5000))),
    lambda rng, photo: photo[: rng.integers(len(photo))],
    lambda rng, photo: photo[:40] + rng.bytes(int(rng.integers(0, 5000))),
    lambda rng, photo: photo,
    _mutated,
    _mutated,
    _header_mutated,
)


def _random_text(rng):
    words = [
        "image/",
        "multipart/form-data",
        "; boundary=",
        "text/html",
        "a" * 300,
        ";",
        "=",
        '"',
        "*",
        "\t",
        "\\",
        "-",
        "\xff",
    ]
    return "".join(words[k] for k in rng.integers(0, len(words), 4)).strip() or "x"


def fuzz_photos():
    """Small photos in every format that is read."""
    pixels = np.random.default_rng(3).integers(0, 256, (40, 56, 3))
    return [
        encoded(pixels, kind)
        for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
    ]
