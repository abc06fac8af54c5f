"""`predict`: inputs, rows, pictures and videos."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from ferkit.cli import main
from ferkit.prediction.inputs import found_files
from ferkit.prediction.rows import RowWriter, empty_row
from ferkit.prediction.timeline import MAX_POINTS, Timeline
from ferkit.prediction.tracking import Tracker, overlap
from ferkit.prediction.video import Video
from ferkit.recognition import recognizer as recognizers
from tests.support.command_line import fails
from tests.support.drawn_films import BrightSquares, picture, write_video

NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def save(path, *boxes, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(*boxes, **options)).save(path)
    return str(path)


def test_every_input_has_its_rows(here, weights, capsys):
    first = save(here / "one.png", (30, 30, 40))
    save(here / "in/two.jpg", (10, 20, 30), (90, 40, 50))
    save(here / "in/deeper/none.png")
    (here / "broken.jpg").write_bytes(b"nothing")
    arguments = [
        first,
        "--image",
        "in",
        "broken.jpg",
        "gone.png",
        "--weights",
        weights,
        "--csv",
        "f.csv",
        "--json",
        "f.json",
    ]
    assert main(["predict", *arguments, "--annotate", "marked"]) == 1
    rows = json.loads((here / "f.json").read_text())
    assert [(row["source"], row["status"], row["face"]) for row in rows] == [
        (first, "ok", 1),
        ("in/deeper/none.png", "no_face", None),
        ("in/two.jpg", "ok", 1),
        ("in/two.jpg", "ok", 2),
        ("broken.jpg", "unreadable", None),
        ("gone.png", "unreadable", None),
    ]
    assert rows[0]["box"] == [30, 30, 70, 70]
    assert list(rows[0]["probabilities"]) == list(NAMES)
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert rows[0]["label"] == max(rows[0]["probabilities"], key=rows[0]["probabilities"].get)
    with open(here / "f.csv", newline="") as lines:
        table = list(csv.DictReader(lines))
    assert [row["status"] for row in table] == [row["status"] for row in rows]
    assert float(table[0]["happy"]) == rows[0]["probabilities"]["happy"]
    assert (table[3]["left"], table[3]["right"]) == ("90.0", "140.0")
    shown = capsys.readouterr().out
    assert "broken.jpg: unreadable: not a photo in a supported format (7 bytes)." in shown
    assert "in/deeper/none.png: no face found" in shown
    assert "5 inputs: 3 faces, 1 without a face, 2 unreadable." in " ".join(shown.split())
    assert {path.name for path in (here / "marked").iterdir()} == {"one.png", "none.png", "two.jpg"}
    marked = np.asarray(Image.open(here / "marked/one.png"))
    assert marked.shape == (120, 160, 3)
    assert (marked != picture((30, 30, 40))).any()


def test_a_crop_needs_no_detector_and_is_predicted_as_it_is(tmp_path, weights):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    recognizer = recognizers.Recognizer(weights, detector="none")
    (found,) = recognizer.predict(pixels)
    logits = np.asarray(recognizer.model(pixels[None, :, :, None].astype("float32")), np.float64)[0]
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(list(found.probabilities.values()), expected, atol=0.01)
    # The crop of a full photo is the photo: it is not blurred.
    photo = np.repeat(pixels[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(
        recognizer.crop(photo, recognizer.detector(photo)[0])[:, :, 0], pixels
    )


def test_a_batch_of_photos_is_predicted_like_single_photos(weights, monkeypatch):
    monkeypatch.setattr("ferkit.recognition.recognizer.make_detector", lambda *_: BrightSquares())
    recognizer = recognizers.Recognizer(weights)
    photos = [picture((10, 10, 30)), picture(), picture((10, 10, 50), (80, 20, 40))]
    together = list(recognizer.predict_many(photos))
    assert [len(found) for found in together] == [1, 0, 2]
    for photo, found in zip(photos, together, strict=True):
        for alone, batched in zip(recognizer.predict(photo), found, strict=True):
            np.testing.assert_allclose(
                list(alone.probabilities.values()), list(batched.probabilities.values()), atol=1e-5
            )
    assert list(recognizer.predict_many([])) == []


def test_photos_with_the_same_name_do_not_overwrite_each_other(here, weights):
    for folder in ("a", "b"):
        save(here / folder / "same.png", (30, 30, 40))
    assert main(["predict", "a", "b", "--weights", weights, "--annotate", "m"]) == 0
    assert {path.name for path in (here / "m").iterdir()} == {"same.png", "same-2.png"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give photos, folders or videos, or --camera N"),
        (["x.png", "--camera", "0"], "give photos, folders or videos, or --camera N"),
        (
            ["empty"],
            "empty: no photo or video in this folder or its subfolders; add files with these",
        ),
        (["*.webp"], "*.webp: no file matches this pattern; check the pattern."),
        (["x.png", "--weights", "gone.keras"], "gone.keras: no such file"),
        (
            ["--camera", "77"],
            "--camera 77: no such camera, or another program uses it; try another number.",
        ),
        (["x.png", "--run", "nowhere"], "nowhere: contains no run (no recipe.json)"),
    ],
)
def test_what_cannot_start_is_one_line(arguments, message, here, weights, capsys):
    (here / "empty").mkdir()
    has_model = "--run" in arguments or "--weights" in arguments
    model = [] if has_model else ["--weights", weights]
    assert message in fails(["predict", *arguments, *model], capsys)


def test_files_are_found_once_and_in_order(tmp_path):
    for name in ("b.png", "a.JPG", "c/d.webp", "notes.txt", "film.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [
        path.relative_to(tmp_path).as_posix()
        for path in found_files([str(tmp_path / "notes.txt"), str(tmp_path)])
    ]
    assert names == ["notes.txt", "a.JPG", "b.png", "c/d.webp", "film.mp4"]
    assert [
        path.name for path in found_files([str(tmp_path / "**/*.webp"), str(tmp_path / "c")])
    ] == ["d.webp"]


def test_what_a_folder_holds_besides_is_reported(tmp_path, capsys):
    for name in ("a.jfif", "b.HEIC", ".hidden.jpg", "notes.txt", "c/d.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "e").symlink_to(tmp_path / "c")
    assert [path.name for path in found_files([str(tmp_path)])] == ["a.jfif", "d.webp"]
    lines = capsys.readouterr().out
    for expected in (
        "1 files ending in .heic are not read (convert them to .jpg, for example with pip",
        "1 hidden files or folders are not read",
        "1 files that are not images are not read",
        "1 linked folders are not read again",
    ):
        assert expected in lines


def test_interrupted_rows_leave_no_file(tmp_path):
    def write_and_fail():
        with RowWriter(tmp_path / "r.csv", tmp_path / "r.json", NAMES) as rows:
            rows.write(empty_row("x", "no_face"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert list(tmp_path.iterdir()) == []
    with RowWriter(None, tmp_path / "r.json", NAMES):
        pass
    assert json.loads((tmp_path / "r.json").read_text()) == []


def test_a_video_has_rows_for_each_frame_an_annotated_video_and_a_plot(here, weights, capsys):
    frames = [picture((20 + k, 30, 40)) if k != 5 else picture() for k in range(12)]
    path = write_video(here / "talk.mp4", frames)
    assert main(["predict", path, "--weights", weights, "--json", "t.json", "--annotate", "m"]) == 0
    rows = json.loads((here / "t.json").read_text())
    assert [row["frame"] for row in rows] == list(range(12))
    assert [row["status"] for row in rows] == ["ok"] * 5 + ["no_face"] + ["ok"] * 6
    assert {row["face"] for row in rows} == {1, None}
    assert rows[4]["time"] == pytest.approx(0.2)
    annotated = list(Video(here / "m/talk.mp4").frames())
    assert len(annotated) == 12
    assert annotated[0].image.shape == (120, 160, 3)
    assert Image.open(here / "m/talk.png").size[0] > 500
    shown = capsys.readouterr().out
    assert "talk.mp4: 12 frames, " in shown
    assert "1 face, number 1 in 11 frames" in shown


@pytest.mark.parametrize("content", [b"", b"no film" * 100, "half"])
def test_videos_that_cannot_be_read_are_rows(content, here, weights, capsys):
    complete = write_video(here / "whole.mp4", [picture((20, 30, 40))] * 6)
    data = (here / "whole.mp4").read_bytes()[:300] if content == "half" else content
    (here / "bad.mp4").write_bytes(data)
    assert main(["predict", "bad.mp4", complete, "--weights", weights, "--json", "b.json"]) == 1
    rows = json.loads((here / "b.json").read_text())
    assert (rows[0]["source"], rows[0]["status"]) == ("bad.mp4", "unreadable")
    assert len(rows) == 7
    assert "Traceback" not in capsys.readouterr().err


def test_a_video_can_be_stopped_after_some_seconds(here, weights):
    path = write_video(here / "long.mp4", [picture((20, 30, 40))] * 30)
    assert (
        main(["predict", path, "--weights", weights, "--seconds", "0.5", "--json", "s.json"]) == 0
    )
    assert len(json.loads((here / "s.json").read_text())) == 11


def expression(box, happy=1.0):
    rest = (1 - happy) / 6
    probabilities = {name: happy if name == "happy" else rest for name in NAMES}
    label = max(probabilities, key=probabilities.get)
    return recognizers.Expression(label, probabilities, box, 0.9)


def test_overlap_by_hand():
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 2, 2), (2, 0, 3, 2)) == 0
    assert overlap((0, 0, 2, 2), (0, 0, 2, 2)) == pytest.approx(1)


def test_faces_keep_their_numbers_when_their_order_changes():
    tracker = Tracker()
    left, right = expression((0, 0, 10, 10)), expression((50, 0, 60, 10))
    assert [number for number, _ in tracker.follow([left, right], 0.0)] == [1, 2]
    assert [number for number, _ in tracker.follow([right, left], 0.1)] == [2, 1]
    assert [number for number, _ in tracker.follow([expression((200, 0, 210, 10)), left], 0.2)] == [
        3,
        1,
    ]
    # absent for less than a second
    assert [number for number, _ in tracker.follow([right], 0.9)] == [2]
    assert [number for number, _ in tracker.follow([left], 5.0)] == [4]


def test_smoothing_is_exponential_in_time_and_can_be_off():
    tracker, box = Tracker(seconds=0.5), (0, 0, 10, 10)
    tracker.follow([expression(box, 1.0)], 0.0)
    ((_, smooth),) = tracker.follow([expression(box, 0.0)], 0.5)
    assert smooth.probabilities["happy"] == pytest.approx(np.exp(-1))
    assert sum(smooth.probabilities.values()) == pytest.approx(1)
    raw = Tracker(seconds=0)
    raw.follow([expression(box, 1.0)], 0.0)
    ((_, unsmoothed),) = raw.follow([expression(box, 0.1)], 0.1)
    assert unsmoothed.probabilities["happy"] == pytest.approx(0.1)


def test_a_timeline_of_hours_stays_small_and_correct():
    timeline = Timeline(NAMES)
    for second in range(3 * 3600):
        happy = 1.0 if second < 5400 else 0.0
        timeline.add(1, float(second), expression((0, 0, 1, 1), happy).probabilities)
    times, curves = timeline.curve(1)
    assert len(times) <= MAX_POINTS
    assert times[-1] == pytest.approx(3 * 3600, rel=0.01)
    middle = np.searchsorted(times, 5400)
    assert curves[: middle - 1, 3].min() == 1.0
    assert curves[middle + 1 :, 3].max() == 0.0
    assert timeline.tracks[1].counts.sum() == 3 * 3600
    for number in range(2, 600):
        timeline.add(number, 0.0, expression((0, 0, 1, 1)).probabilities)
    assert len(timeline.tracks) == Timeline.MAX_TRACKS
    assert 1 in timeline.tracks
    assert timeline.summary().startswith("599 faces, number 1 in 10,800 frames")
