"""serve: what the API answers, to good requests and to bad ones.

On a real port, with the paper's small net.
"""

import concurrent.futures
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from ferkit.recognition import recognizer as recognizers
from ferkit.recognition.photos import PhotoError, read_photo
from ferkit.serving.batching import Batcher
from ferkit.serving.limits import Limits
from ferkit.serving.middleware import HEADERS
from ferkit.serving.service import FORMATS
from tests.prediction.test_predict import BrightSquares, picture
from tests.support.command_line import fails
from tests.support.serving_client import (
    JPEG,
    ask,
    encoded,
    form,
    fuzz_photos,
    post,
    raw,
    served,
    wait_until,
)

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
SMALL = Limits(
    bytes=200_000, pixels=1_000_000, faces=5, explained_faces=2, batch=4, upload_seconds=0.6, header_seconds=0.6,
    drain_seconds=0.5,
)  # fmt: skip


@pytest.fixture(scope="module")
def recognizer():
    return recognizers.Recognizer("deep_emotion_paper-fer2013", detector="none")


@pytest.fixture(scope="module")
def port(recognizer):
    """A server whose detector finds white squares, unless a request asks for none."""
    with pytest.MonkeyPatch.context() as patch:
        real = serving_detector()
        patch.setattr(
            "ferkit.recognition.make_detector",
            lambda name, model=None, **_: real(name) if name == "none" else BrightSquares(),
        )
        with served(recognizer, SMALL) as (own, _):
            yield own


def serving_detector():
    from ferkit.recognition import make_detector

    return make_detector


def squares(count):
    """A PNG with `count` white squares."""
    places = [(12 + 40 * (k % 20), 12 + 40 * (k // 20), 20) for k in range(count)]
    return encoded(picture(*places, size=(40 * (count // 20 + 1) + 12, 820)), "PNG")


FACE = encoded(np.random.default_rng(1).integers(0, 256, (48, 48)), "PNG")


# ---- good requests


def test_a_photo_has_its_faces_with_probabilities(port):
    for body, headers in ((squares(2), JPEG), (squares(2), {}), form(squares(2))):
        status, answer = post(port, body, headers=headers)
        assert status == 200
        assert (answer["model"], answer["width"], answer["faces_found"], answer["faces_left_out"]) == (
            "deep_emotion_paper-fer2013", 820, 2, 0,
        )  # fmt: skip
        first = answer["faces"][0]
        assert first["box"] == [12, 12, 32, 32]
        assert list(first["probabilities"]) == NAMES
        assert sum(first["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        assert (
            first["confidence"]
            == first["probabilities"][first["label"]]
            == max(first["probabilities"].values())
        )
        assert first["unsure"] == (first["confidence"] < 0.4)


def test_it_answers_what_predict_says(port, recognizer):
    status, answer = post(port, FACE, "/v1/predict?detector=none")
    (expected,) = recognizer.predict(FACE)
    assert status == 200
    assert answer["faces"][0]["label"] == expected.label
    for name, probability in expected.probabilities.items():
        assert answer["faces"][0]["probabilities"][name] == pytest.approx(probability, abs=1e-4)


def test_explanations_have_maps_and_where_they_lie(port):
    status, answer = post(port, squares(3), "/v1/explain?class=sad")
    assert status == 200
    assert (answer["faces_found"], answer["faces_left_out"], len(answer["faces"])) == (3, 1, 2)
    face = answer["faces"][0]
    assert face["explained"] == "sad"
    assert face["crop"] == [[12, 12], [32, 12], [32, 32], [12, 32]]
    assert face["map"].startswith("data:image/png;base64,")
    assert face["seen"].startswith("data:image/png;base64,")


def test_no_face_and_many_faces(port):
    assert post(port, squares(0)) == (
        200,
        {
            "model": "deep_emotion_paper-fer2013",
            "width": 820,
            "height": 52,
            "faces_found": 0,
            "faces_left_out": 0,
            "faces": [],
        },
    )
    assert post(port, squares(0), "/v1/explain")[1]["faces"] == []
    status, answer = post(port, squares(200))
    assert (status, answer["faces_found"], answer["faces_left_out"], len(answer["faces"])) == (
        200,
        200,
        195,
        5,
    )


def test_the_state_of_the_server(port):
    assert ask(port, "GET", "/healthz")[:2] == (200, {"status": "ok"})
    (model,) = ask(port, "GET", "/v1/models")[1]["models"]
    assert (model["name"], model["class_names"], model["input"]) == (
        "deep_emotion_paper-fer2013",
        NAMES,
        [48, 48, 1],
    )
    assert 0.5 < model["measured"]["accuracy"] < 0.7
    post(port, FACE)
    counted = ask(port, "GET", "/metrics")[1]
    assert 'fer_requests_total{path="/v1/predict",status="200"}' in counted
    assert "process_resident_memory_bytes" in counted
    described = ask(port, "GET", "/openapi.json")[1]
    assert {"/v1/predict", "/v1/explain", "/v1/models", "/healthz", "/metrics"} == set(
        described["paths"]
    )
    assert (
        "multipart/form-data" in described["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    )


def test_pages_need_nothing_from_elsewhere_and_allow_no_inline_script(port):
    for path in (
        "/",
        "/docs",
        "/style.css",
        "/theme.css",
        "/page.js",
        "/answers.js",
        "/view.js",
        "/camera.js",
        "/icon.svg",
    ):
        status, content, headers = ask(port, "GET", path)
        assert status == 200
        assert "https:" not in content
        assert "http:" not in content.replace("http://127.0.0.1:8000", "").replace(
            "http://www.w3.org/2000/svg", ""
        )
        assert "<script>" not in content
        assert " style=" not in content
        for name, value in HEADERS.items():
            assert headers[name] == (value if name != "Cache-Control" else "no-cache")
    assert "POST /v1/explain" in ask(port, "GET", "/docs")[1]
    assert "'unsafe" not in HEADERS["Content-Security-Policy"]


# ---- bad requests


def huge_png():
    """The first bytes of a PNG of 30,000 x 30,000 pixels: its header is enough to refuse it."""
    content = bytearray(encoded(np.zeros((1, 1)), "PNG"))
    content[16:24] = (30_000).to_bytes(4, "big") * 2
    import zlib

    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize(
    ("body", "headers", "status", "told"),
    [
        (b"", JPEG, 400, "empty: 0 bytes"),
        (
            b"no photo",
            JPEG,
            415,
            "not a photo in a supported format (8 bytes). Formats: JPEG, PNG",
        ),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            JPEG,
            415,
            "not a photo in a supported format",
        ),  # would start Ghostscript
        (encoded(np.zeros((99, 99)))[:-300], JPEG, 422, "damaged"),
        (bytes(200_001), JPEG, 413, "more than 200,000 bytes"),
        (huge_png(), JPEG, 413, "more than 1 million pixels"),
        (FACE, {"Content-Type": "text/plain"}, 415, "Content-Type is not supported"),
        (
            FACE,
            {"Content-Type": "application/x-www-form-urlencoded"},
            415,
            "Content-Type: image/jpeg, for example",
        ),
        (*form(FACE, field="picture"), 400, "no fields named `file`"),
        (*form(FACE, end=False), 400, "cut off"),
        (*form(b""), 400, "empty"),
        (*form(bytes(200_001)), 413, "more than 200,000 bytes"),
        (b"--", {"Content-Type": "multipart/form-data"}, 400, "has no boundary"),
        (b"garbage", {"Content-Type": "multipart/form-data; boundary=b"}, 400, "form is"),
        (FACE, {**JPEG, "Origin": "http://elsewhere.example"}, 403, "another site"),
        (FACE, {**JPEG, "Sec-Fetch-Site": "cross-site"}, 403, "another site"),
        (FACE, {**JPEG, "Host": "elsewhere.example"}, 421, "--allow-host"),
    ],
)
def test_bad_requests_have_their_status_and_one_line(body, headers, status, told, port):
    received, answer, own = ask(port, "POST", "/v1/predict", body, headers)
    assert (received, list(answer)) == (status, ["error"])
    assert told in answer["error"]
    assert own["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
    assert ask(port, "GET", "/healthz")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "told"),
    [
        ("GET", "/v1/predict", 405, "Method Not Allowed"),
        ("GET", "/nowhere", 404, "see /docs"),
        ("GET", "/../../etc/passwd", 404, "see /docs"),
        ("POST", "/v1/predict?detector=yolo", 422, "detector: "),
        ("POST", "/v1/explain?class=bored", 422, "it has: angry, disgust"),
        (
            "POST",
            "/v1/predict?detecter=none",
            422,
            "a query parameter is unknown; choose from detector.",
        ),
        (
            "POST",
            "/v1/predict?class=sad",
            422,
            "a query parameter is unknown; choose from detector.",
        ),
        ("POST", "/v1/explain?klass=sad", 422, "choose from detector, class, method."),
        (
            "POST",
            "/v1/predict?detector=none&detector=auto",
            422,
            "detector: given 2 times; give one.",
        ),
        ("GET", "/v1/models?name=dan", 422, "a query parameter is unknown; this path has none."),
    ],
)
def test_wrong_paths_and_parameters(method, path, status, told, port):
    received, answer, _ = ask(port, method, path, FACE if method == "POST" else None, JPEG)
    assert received == status
    assert told in answer["error"]


def test_damage_of_any_kind_is_told_as_such():
    numbers, read = np.random.default_rng(5), 0
    for photo in fuzz_photos():
        for _ in range(60):
            content = bytearray(photo)
            for place in numbers.integers(0, len(content), 6):
                content[place] = numbers.integers(256)
            with contextlib.suppress(PhotoError):
                read += read_photo(bytes(content), 1_000_000, FORMATS).shape[2] == 3
    assert read > 50


def test_pictures_of_odd_shapes_are_answered(recognizer):
    shapes = [(1, 1), (1, 5000), (5000, 1), (2, 40_000), (40_000, 3)]
    with served(recognizer, Limits(batch=4)) as (own, _):
        for shape in shapes:
            for detector in ("none", "yunet"):
                status, answer = post(
                    own, encoded(np.full(shape, 90), "PNG"), f"/v1/predict?detector={detector}"
                )
                assert status in (200, 422), (shape, detector, answer)


def test_a_hundred_megabytes_are_refused_and_not_kept(port):
    from tests.support.serving_client import memory

    def chunks():
        for _ in range(100):
            yield bytes(1_000_000)

    before = memory()
    assert post(port, chunks()) [0] == 413  # fmt: skip
    received, answer, _ = ask(
        port, "POST", "/v1/predict", chunks(), {**JPEG, "Content-Length": "100000000"}
    )
    assert received == 413
    assert "more than 200,000 bytes" in answer["error"]
    assert memory() - before < 50


def test_slow_clients_are_told_and_dropped(port):
    head = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: 5000\r\n"
    assert raw(port, head).startswith(b"HTTP/1.1 408 ")  # the headers never end
    started = time.monotonic()
    body = raw(port, head + b"Connection: close\r\n\r\n", FACE[:100])
    assert body.startswith(b"HTTP/1.1 408 ")
    assert b'{"error":"the photo did not arrive within 0.6 s; send it again."}' in body
    assert time.monotonic() - started < 5
    assert raw(port) .startswith(b"HTTP/1.1 408 ")  # fmt: skip
    assert raw(port, b"\x16\x03\x01\x02\x00nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert post(port, FACE)[0] == 200


def test_a_connection_closed_in_the_middle_hurts_nobody(port):
    head = (
        b"POST /v1/explain?detector=none HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
    )
    head += f"Content-Length: {len(FACE)}\r\n\r\n".encode()
    for piece in (head[:40], head, head + FACE[:50], head + FACE):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(piece)
    assert post(port, FACE)[0] == 200
    metrics = ask(port, "GET", "/metrics")[1]
    assert "fer_requests_waiting 0.0" in metrics
    assert 'status="500"' not in metrics


# ---- crowds


class Slow:
    """A recognizer that takes its time, and remembers how many rows came together."""

    def __init__(self, recognizer, seconds):
        self._recognizer, self._seconds, self.batches = recognizer, seconds, []

    def __getattr__(self, name):
        return getattr(self._recognizer, name)

    def probabilities(self, crops):
        self.batches.append(len(crops))
        time.sleep(self._seconds)
        return self._recognizer.probabilities(crops)


def test_concurrent_requests_go_through_the_model_together(recognizer):
    slow = Slow(recognizer, 0.1)
    with served(slow, Limits(batch=8), detector="none") as (own, _):
        slow.batches.clear()
        alone = post(own, FACE)[1]
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(lambda _: post(own, FACE), range(24)))
        assert [status for status, _ in answers] == [200] * 24
        for _, answer in answers:
            assert answer["faces"][0]["label"] == alone["faces"][0]["label"]
    assert max(slow.batches) == 8
    assert len(slow.batches) < 12


def test_a_full_queue_is_told(recognizer):
    with served(Slow(recognizer, 0.3), Limits(batch=1, waiting=3), detector="none") as (own, _):
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(
                pool.map(lambda _: ask(own, "POST", "/v1/predict", FACE, JPEG), range(12))
            )
        codes = [status for status, _, _ in answers]
        assert set(codes) == {200, 429}
        assert codes.count(200) >= 3
        refused = next(one for one in answers if one[0] == 429)
        assert refused[1] == {"error": "busy: 3 requests are waiting; try again in a second."}
        assert refused[2]["Retry-After"] == "1"
        assert post(own, FACE)[0] == 200


def test_too_many_bytes_at_once_are_told(recognizer):
    with served(recognizer, Limits(batch=1, waiting_bytes=100), detector="none") as (own, _):
        assert post(own, FACE)[0] == 429
        small = encoded(np.zeros((1, 1)), "PNG")
        assert post(own, small)[0] == 200
        assert post(own, small)[0] == 200


def test_an_answer_that_takes_too_long_is_refused(recognizer):
    with served(
        Slow(recognizer, 0.7), Limits(batch=1, seconds=0.4), detector="none", warm_up=()
    ) as (
        own,
        _,
    ):
        assert post(own, FACE) == (
            503,
            {"error": "not answered within 0.4 s: too busy; try again."},
        )


def test_a_failure_inside_is_one_line_that_tells_nothing_of_the_request(recognizer, caplog):
    class Broken(Slow):
        def probabilities(self, crops):
            raise RuntimeError("secret")

    with served(Broken(recognizer, 0), Limits(batch=1), detector="none", warm_up=()) as (own, _):
        body, headers = form(FACE)
        assert post(own, body, headers=headers) == (
            500,
            {"error": "internal server error; the request was not answered."},
        )
        assert post(own, body, headers=headers)[0] == 500
    (line, _) = [
        record.getMessage() for record in caplog.records if record.name == "ferkit.serving"
    ]
    assert line.startswith("error: a request failed: RuntimeError in ")
    assert "secret" not in caplog.text


def test_nothing_is_written_to_disk_and_no_name_is_logged(
    port, tmp_path, monkeypatch, caplog, capfd
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    large = np.random.default_rng(0).integers(0, 256, (220, 220, 3))
    for body, headers in (
        form(encoded(large, "PNG")),
        (encoded(large, "PNG"), JPEG),
        form(b"nothing"),
        form(encoded(large, "TIFF")),
    ):
        post(port, body, headers=headers)
    assert list(tmp_path.iterdir()) == []
    shown = capfd.readouterr()
    assert "secret-name" not in caplog.text + shown.out + shown.err


# ---- batching


def test_the_batcher_keeps_rows_and_kinds_apart_and_survives_failures():
    seen = []

    def double(rows):
        seen.append(len(rows))
        if "bad" in rows:
            raise ValueError("bad row")
        return [2 * row for row in rows]

    batcher = Batcher({"double": double, "same": lambda rows: rows}, {"double": 4, "same": 4})
    jobs = [batcher.submit("double", list(range(k, k + 3))) for k in range(20)]
    same = batcher.submit("same", list(range(9)))
    assert [job.result() for job in jobs] == [[2 * k, 2 * k + 2, 2 * k + 4] for k in range(20)]
    assert same.result() == list(range(9))
    assert batcher.submit("same", []).result() == []
    with pytest.raises(ValueError, match="bad row"):
        batcher.submit("double", ["bad"]).result()
    assert batcher.submit("double", [4]).result() == [8]
    assert max(seen) <= 4
    batcher.close()
    with pytest.raises(RuntimeError):
        batcher.submit("double", [1])


def test_cancelled_rows_are_not_worked_on():
    begun, go_on, seen = threading.Event(), threading.Event(), []

    def wait(rows):
        seen.extend(rows)
        begun.set()
        go_on.wait(10)
        return rows

    batcher = Batcher({"wait": wait}, {"wait": 1}, max_rows=2)
    first = batcher.submit("wait", [1])
    assert begun.wait(10)
    second, third = batcher.submit("wait", [2]), batcher.submit("wait", [3])
    assert batcher.waiting == 2
    assert second.cancel()
    assert not first.cancel()
    go_on.set()
    assert third.result(10) == [3]
    assert seen == [1, 3]
    batcher.close()


# ---- the command


def test_damaged_forms_are_not_quoted_in_the_log(port, caplog):
    body, headers = form(FACE)
    assert (
        post(port, body.replace(b"Content-Disposition", b"Content\xa7"), headers=headers)[0] == 400
    )
    assert caplog.text == ""


def test_what_cannot_be_served_is_one_line(capsys, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        assert f"--port {number}: already in use" in fails(["serve", "--port", number], capsys)
    assert "--port 70000: out of range" in fails(["serve", "--port", "70000"], capsys)
    assert "--host no.such.host.invalid: unknown host" in fails(
        ["serve", "--host", "no.such.host.invalid"], capsys
    )
    assert "--host a..b: unknown host (not a host name)" in fails(
        ["serve", "--host", "a..b"], capsys
    )
    assert "--host 203.0.113.7 --port 0: not an address of this machine" in fails(
        ["serve", "--host", "203.0.113.7", "--port", "0"], capsys
    )
    assert "no such weights" in fails(["serve", "--weights", "gone"], capsys)


@pytest.mark.parametrize(
    "stop", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_it_starts_answers_and_stops_when_asked(stop):
    words = [
        "serve",
        "--port",
        "0",
        "--weights",
        "deep_emotion_paper-fer2013",
        "--detector",
        "none",
    ]
    code = (
        "import sys; from ferkit.serving import server; make = server.make_server\n"
        "server.make_server = lambda *given, **named: make(*given, **named, warm_up=())\n"
        "from ferkit.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    line = process.stdout.readline()
    assert "is ready after" in line
    own = int(line.rpartition(":")[2])
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post, own, FACE)  # the first is slow: something is compiled
        wait_until(
            lambda: "fer_requests_waiting 1.0" in ask(own, "GET", "/metrics")[1] or answer.done()
        )
        process.send_signal(stop)
        assert answer.result()[0] == 200
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Stopped." in out
    assert "Traceback" not in errors
    with pytest.raises(ConnectionError):
        ask(own, "GET", "/healthz")
