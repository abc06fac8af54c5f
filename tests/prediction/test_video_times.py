"""Times in videos are those of the file, whatever its rate; damaged frames are counted."""

import json

import numpy as np
import pytest

from ferkit.cli import main
from ferkit.prediction import timeline_plot, video
from ferkit.prediction.timeline import Timeline
from ferkit.prediction.tracking import Tracker
from ferkit.prediction.video import Video
from ferkit.recognition.recognizer import Expression
from tests.support.drawn_films import (
    lengthen_frames,
    picture,
    write_damaged_video,
    write_video,
)

COUNT, FIRST = 40, 20
TIMES = [n / 10 for n in range(FIRST)] + [2 + n / 2 for n in range(COUNT - FIRST)]
FRAMES = [picture((20 + k, 30, 40)) for k in range(COUNT)]


@pytest.fixture
def film(tmp_path):
    """The first 20 frames last 0.1 s, the others 0.5 s."""
    path = write_video(tmp_path / "film.mp4", FRAMES, rate=10)
    lengthen_frames(path, FIRST, 5)
    return path


@pytest.mark.parametrize("stride", [1, 3, 7])
def test_frames_have_the_times_of_the_file(stride, film):
    frames = list(Video(film).frames(stride))
    assert [frame.number for frame in frames] == list(range(0, COUNT, stride))
    assert [frame.time for frame in frames] == pytest.approx(TIMES[::stride])


def test_rows_and_seconds_follow_the_times(film, here, weights):
    arguments = ["predict", film, "--weights", weights, "--json"]
    assert main([*arguments, "all.json"]) == 0
    rows = json.loads((here / "all.json").read_text())
    assert [row["time"] for row in rows] == pytest.approx(TIMES)
    assert {row["face"] for row in rows} == {1}
    assert main([*arguments, "start.json", "--seconds", "3.9"]) == 0
    rows = json.loads((here / "start.json").read_text())
    assert [row["time"] for row in rows] == pytest.approx(TIMES[:25])  # the last is at 4.0 s


class FakeCapture:
    """A capture whose positions are given, in milliseconds, for frames that can be read."""

    def __init__(self, positions):
        self.positions, self.next = positions, 0

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return True

    def grab(self):
        self.next += 1
        return self.next <= len(self.positions) and self.positions[self.next - 1] is not None

    def read(self):
        return (True, picture()) if self.grab() else (False, None)

    def get(self, what):
        known = {video.cv2.CAP_PROP_FPS: 10.0, video.cv2.CAP_PROP_FRAME_COUNT: len(self.positions)}
        return known.get(what, self.positions[self.next - 1])


@pytest.mark.parametrize(
    ("positions", "times"),
    [
        ([0, 0, 0, 0], [0, 0.1, 0.2, 0.3]),  # none
        ([500, 540, 600], [0, 0.04, 0.1]),  # from the first frame on
        ([0, 300, 200, 350, 900], [0, 0.3, 0.4, 0.5, 0.9]),  # not increasing
        ([0, float("nan"), 250], [0, 0.1, 0.25]),
        ([0, 9e12, 250], [0, 0.1, 0.25]),  # beyond any pause
        ([0, None, None, 0, 900], [0, 0.3, 0.9]),  # two damaged frames
    ],
)
def test_wrong_and_missing_times_are_replaced_by_the_rate(positions, times, monkeypatch, tmp_path):
    monkeypatch.setattr(video, "_opened_capture", lambda *_: FakeCapture(positions))
    (tmp_path / "film.mp4").write_bytes(b"any")
    frames = list(Video(tmp_path / "film.mp4").frames())
    assert [frame.time for frame in frames] == pytest.approx(times)


def test_damaged_frames_in_the_second_half_are_counted_and_skipped(tmp_path, here, weights, capsys):
    path = write_damaged_video(tmp_path / "broken.avi", FRAMES, range(22, 32), rate=10)
    film = Video(path)
    frames = list(film.frames())
    numbers = [*range(22), *range(32, 40)]
    assert (len(frames), film.broken) == (30, 10)
    assert [frame.number for frame in frames] == numbers
    assert [frame.time for frame in frames] == pytest.approx([n / 10 for n in numbers])
    assert main(["predict", path, "--weights", weights]) == 0
    assert "30 frames, 10 damaged frames skipped" in capsys.readouterr().out


def test_a_long_run_of_damaged_frames_does_not_end_a_video(tmp_path):
    frames = [picture((20, 30, 40))] * 100
    film = Video(write_damaged_video(tmp_path / "broken.avi", frames, range(20, 95)))
    assert len(list(film.frames())) == 25
    assert film.broken == 75


def test_a_video_may_begin_with_damaged_frames(tmp_path):
    film = Video(write_damaged_video(tmp_path / "broken.avi", FRAMES, range(5), rate=10))
    frames = list(film.frames())
    assert film.broken == 5
    assert [frame.number for frame in frames] == list(range(5, 40))
    assert [frame.time for frame in frames] == pytest.approx([n / 10 for n in range(5, 40)])


def test_a_video_that_is_cut_off_counts_what_is_missing(tmp_path):
    film = Video(write_damaged_video(tmp_path / "cut.avi", FRAMES, range(30, 40)))
    assert len(list(film.frames())) == 30
    assert film.broken == 10


def face(happy=1.0):
    return Expression("happy", {"happy": happy, "sad": 1 - happy}, (0, 0, 10, 10), 0.9)


def test_faces_keep_their_number_in_frames_that_are_far_apart():
    tracker = Tracker()
    assert [tracker.follow([face()], 3.0 * n)[0][0] for n in range(3)] == [1, 1, 1]
    assert tracker.follow([], 9.0) == []
    assert tracker.follow([face()], 12.0)[0][0] == 2  # absent in a frame, and longer than a second


@pytest.mark.parametrize(("step", "absence"), [(0.04, 2.0), (2.0, 30.0)])
def test_a_plot_is_interrupted_by_an_absence_and_not_by_slow_frames(step, absence, monkeypatch):
    timeline, lines = Timeline(("happy", "sad")), []
    for n in range(20):
        timeline.add(1, n * step + (absence if n >= 10 else 0), {"happy": 1.0, "sad": 0.0})

    class Axis:
        def plot(self, times, curve, **_):
            lines.append(curve)

        def __getattr__(self, _):
            return lambda *_, **__: None

    timeline_plot._draw_track(timeline, Axis(), 1)
    assert [int(np.isnan(line).sum()) for line in lines] == [1, 1]
