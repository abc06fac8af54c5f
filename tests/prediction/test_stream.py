"""Streams: tracked faces from video files, cameras and URLs, and URLs in messages."""

import contextlib
import functools
import http.server
import threading

import cv2
import numpy as np
import pytest

from ferkit.errors import UserError
from ferkit.prediction import video as videos
from ferkit.prediction.stream import StreamFrame
from ferkit.prediction.video import Video, without_secrets
from tests.support.drawn_films import picture, write_video

RATE, COUNT = 20, 24


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    frames = [picture((20 + 2 * k, 30, 40)) if k != 6 else picture() for k in range(COUNT)]
    return write_video(path, frames, RATE)


@pytest.fixture(scope="module")
def server(film):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    folder = film.rpartition("/")[0]
    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{served.server_port}"
        served.shutdown()


def check_frames(frames, stride=1):
    numbers = list(range(0, COUNT, stride))
    assert [frame.number for frame in frames] == numbers
    assert [frame.time for frame in frames] == pytest.approx([n / RATE for n in numbers])
    for frame in frames:
        assert isinstance(frame, StreamFrame)
        assert (frame.image.shape, frame.image.dtype) == ((120, 160, 3), np.uint8)
        assert [face.track for face in frame.faces] == ([] if frame.number == 6 else [1])
        if frame.faces:
            assert frame.faces[0].box[0] == pytest.approx(20 + 2 * frame.number, abs=3)
            assert sum(frame.faces[0].probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize("stride", [1, 3, 5])
def test_frames_of_a_file_have_tracked_faces(stride, recognizer, film):
    check_frames(list(recognizer.stream(film, stride)), stride)


@pytest.mark.parametrize("credentials", ["", "user:secret@"])
def test_a_url_is_read_like_its_file(credentials, recognizer, server):
    frames = list(recognizer.stream(f"http://{credentials}{server}/film.mp4?token=secret"))
    check_frames(frames)
    assert frames[0].source == frames[0].faces.source == f"http://{server}/film.mp4"


def test_probabilities_are_smoothed(recognizer, tmp_path):
    frames = [picture((20, 30, 40))] * 4 + [picture((20, 30, 40)) // 255 * 215] * 8
    path = write_video(tmp_path / "dimmed.mp4", frames, RATE)
    smooth, raw = ([f.faces[0] for f in recognizer.stream(path, smoothing=s)] for s in (None, 0))
    assert raw[4].probabilities["bright"] < smooth[4].probabilities["bright"]
    assert smooth[4].probabilities["bright"] > smooth[11].probabilities["bright"]


def test_a_stream_that_is_closed_releases_its_video(recognizer, film, monkeypatch):
    closed = []
    close = Video.close
    monkeypatch.setattr(Video, "close", lambda self: (closed.append(self.name), close(self)))
    frames = recognizer.stream(film)
    next(frames)
    frames.close()
    assert closed == [film]
    assert not [t for t in threading.enumerate() if t.name.startswith("ferkit")]


def test_a_video_whose_connection_breaks_is_a_clear_error(recognizer, tmp_path):
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE, (160, 120))
    for k in range(100):
        writer.write(picture((20 + k // 4, 30, 40)))
    writer.release()
    content = path.read_bytes()

    class HalfHandler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(content[: len(content) // 2])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), HalfHandler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        frames = recognizer.stream(f"http://127.0.0.1:{served.server_port}/film.avi")
        received = []
        with pytest.raises(UserError, match=r"the connection broke, after \d\d frames; open it ag"):
            received.extend(iter(frames.__next__, None))
        served.shutdown()
    frames = list(recognizer.stream(path))
    assert len(frames) == 100


class FakeCapture:
    """A live source of some frames, which is then gone."""

    def __init__(self, frames=3):
        self.frames = frames

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return True

    def grab(self):
        self.frames -= 1
        return self.frames >= 0

    def read(self):
        return (True, picture((20, 30, 40))) if self.grab() else (False, None)

    def get(self, _):
        return 0.0

    def release(self):
        pass


def test_a_live_url_that_drops_is_a_clear_error(recognizer, monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: FakeCapture())
    frames = recognizer.stream("rtsp://admin:secret@camera.local/live?key=secret")
    received = [next(frames) for _ in range(3)]
    assert received[0].time <= received[1].time <= received[2].time
    with pytest.raises(UserError) as raised:
        next(frames)
    assert str(raised.value) == (
        "rtsp://camera.local/live: the stream ended, or the connection broke, after 3 frames; "
        "open it again."
    )


def test_a_camera_is_predicted_frame_by_frame_and_ends(recognizer, monkeypatch):
    captures = []
    monkeypatch.setattr(
        cv2, "VideoCapture", lambda *_: captures.append(FakeCapture(5)) or captures[0]
    )
    left = []
    for frame in recognizer.stream(0, stride=2):
        left.append(captures[0].frames)
        assert frame.source == "camera 0"
    assert left == [4, 2, 0], "no frame is read ahead"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@127.0.0.1:9/a.mp4?token=secret#secret", "http://127.0.0.1:9/a.mp4"),
        ("rtsp://secret@127.0.0.1:9/live", "rtsp://127.0.0.1:9/live"),
        ("rtsp://user:se/cret@127.0.0.1:9/live", "rtsp://..."),
        ("http://127.0.0.1:9/?mail=a@secret", "http://..."),
        ("gopher://user:secret@host/a", "gopher://host/a"),
        ("file:///etc/secret", "file://..."),
    ],
)
def test_a_url_that_cannot_be_opened_is_one_line_without_secrets(url, shown, recognizer, capfd):
    with pytest.raises(UserError) as raised:
        recognizer.stream(url)
    assert str(raised.value).startswith(f"{shown}: ")
    output = "".join(capfd.readouterr())
    assert "secret" not in str(raised.value) + output
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://a:b:c@d@h/x",
        "http://u:p?q@h/",
        "http://u:p#q@h/",
        "xx://",
        "http:///",
        "http://a\nb/",
    ],
)
def test_malformed_urls_show_their_scheme_alone(url):
    assert without_secrets(url) == f"{url.partition('://')[0]}://..."


def test_a_page_that_is_no_video_is_one_line(recognizer, server, monkeypatch):
    monkeypatch.setattr(videos, "TIMEOUT_MS", 3000)
    with pytest.raises(UserError, match=r"no video at this URL within 3 s; check address"):
        recognizer.stream(f"http://{server}/")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0}, "stride=0: out of range; give a whole number of at least 1"),
        ({"stride": 1.5}, "stride=1.5: out of range"),
        ({"stride": True}, "stride=True: out of range"),
        ({"smoothing": -1}, "smoothing=-1: out of range"),
        ({"smoothing": float("nan")}, "smoothing=nan: out of range"),
    ],
)
def test_options_out_of_range_are_one_line(options, message, recognizer, film):
    with pytest.raises(UserError, match=message):
        recognizer.stream(film, **options)


@pytest.mark.parametrize("source", [None, True, 1.5, b"film.mp4"])
def test_other_sources_are_one_line(source, recognizer):
    with pytest.raises(UserError, match="stream: expected a file, a URL or the number of a cam"):
        recognizer.stream(source)


def test_a_missing_file_is_one_line(recognizer):
    with pytest.raises(UserError, match=r"gone.mp4: no such file"):
        recognizer.stream("gone.mp4")
