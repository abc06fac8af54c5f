"""`predict --show`: a window where OpenCV has one, and one line where it has none."""

import json

import cv2
import pytest

from ferkit.cli import main
from ferkit.prediction import window as windows
from tests.support.command_line import fails
from tests.support.drawn_films import picture, write_video


class FakeScreen:
    """OpenCV's window functions; `keys` are pressed one after another."""

    def __init__(self, monkeypatch, keys=(), visible=1.0):
        self.pictures, self.keys, self.visible = [], iter(keys), visible
        self.is_open = False
        monkeypatch.setenv("DISPLAY", ":0")
        monkeypatch.setattr(cv2, "currentUIFramework", lambda: "QT6", raising=False)
        monkeypatch.setattr(cv2, "namedWindow", lambda *_: setattr(self, "is_open", True))
        monkeypatch.setattr(cv2, "imshow", lambda _, image: self.pictures.append(image))
        monkeypatch.setattr(cv2, "waitKey", lambda _: next(self.keys, -1))
        monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: self.visible)
        monkeypatch.setattr(cv2, "destroyAllWindows", lambda: setattr(self, "is_open", False))


@pytest.fixture
def film(here):
    return write_video(here / "film.mp4", [picture((20 + k, 30, 40)) for k in range(8)])


def show(film, weights, *flags):
    return main(["predict", film, "--weights", weights, "--json", "r.json", "--show", *flags])


def rows(folder):
    return json.loads((folder / "r.json").read_text())


def test_frames_are_shown_with_their_rate(film, here, weights, monkeypatch):
    texts = []
    draw = cv2.putText
    monkeypatch.setattr(cv2, "putText", lambda *a: (texts.append(a[1]), draw(*a)))
    screen = FakeScreen(monkeypatch)
    assert show(film, weights) == 0
    assert len(screen.pictures) == 8
    assert screen.pictures[0].shape == (120, 160, 3)
    assert texts[0] == "0.0 frames/s"
    assert float(texts[-1].removesuffix(" frames/s")) > 0
    assert not screen.is_open
    assert len(rows(here)) == 8


@pytest.mark.parametrize("key", [ord("q"), 27])
def test_a_key_closes_the_window_and_a_video_is_read_to_its_end(
    key,
    film,
    here,
    weights,
    monkeypatch,
):
    screen = FakeScreen(monkeypatch, keys=[-1, ord("x"), key])
    assert show(film, weights, "--annotate", "marked") == 0
    assert len(screen.pictures) == 3
    assert len(rows(here)) == 8
    assert (here / "marked/film.mp4").stat().st_size


def test_the_button_of_the_window_closes_it(film, here, weights, monkeypatch):
    screen = FakeScreen(monkeypatch, visible=0.0)
    assert show(film, weights) == 0
    assert len(screen.pictures) == 1
    assert len(rows(here)) == 8


def test_a_key_stops_a_camera_and_keeps_its_rows(film, here, weights, monkeypatch):
    capture = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: capture(film))
    screen = FakeScreen(monkeypatch, keys=[-1, -1, ord("q")])
    assert (
        main(["predict", "--camera", "0", "--weights", weights, "--json", "r.json", "--show"]) == 0
    )
    assert len(screen.pictures) == len(rows(here)) == 3


def no_window(*_):
    raise cv2.error("The function is not implemented")


@pytest.mark.parametrize("framework", ["", None])
def test_opencv_without_windows_is_one_line(framework, film, weights, monkeypatch, capsys):
    FakeScreen(monkeypatch)
    monkeypatch.setattr(cv2, "namedWindow", no_window)
    if framework is None:
        monkeypatch.delattr(cv2, "currentUIFramework")  # OpenCV 4 before 4.11 has none
    else:
        monkeypatch.setattr(cv2, "currentUIFramework", lambda: framework)
    line = fails(["predict", film, "--weights", weights, "--show"], capsys)
    assert line == (
        "error: --show: the installed OpenCV has no windows; install opencv-python in its place: "
        "pip uninstall -y opencv-python-headless && pip install opencv-python."
    )


def test_no_display_is_one_line(film, weights, monkeypatch, capsys):
    FakeScreen(monkeypatch)
    monkeypatch.setattr(windows.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    line = fails(["predict", film, "--weights", weights, "--show"], capsys)
    assert "--show: no display: DISPLAY is not set; run it on a desktop" in line


def test_photos_alone_cannot_be_shown(here, weights, capsys):
    line = fails(["predict", "photo.jpg", "--weights", weights, "--show"], capsys)
    assert "--show: needs a video or a camera; give one, or omit --show." in line
