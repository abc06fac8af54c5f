"""Sample faces: how each class looks, their CSV, and files that they must not replace."""

import csv
import hashlib
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from generate_data.errors import DataError
from generate_data.samples.expressions import (
    ACTION_UNITS,
    EXPRESSIONS,
    draw_action_units,
    draw_face,
)
from generate_data.samples.face import render
from generate_data.samples.sample_csv import sample_labels, write_sample

CLASSES = range(7)


def faces_of(expression: int, count: int, seed: int = 0) -> np.ndarray:
    return np.stack(
        [draw_face(expression, np.random.default_rng([seed, expression, i])) for i in range(count)]
    )


def mean_face(count: int = 60, **units: float) -> np.ndarray:
    """Mean of the same people, standardised, showing exactly these units (au12=1.0)."""
    intensities = dict.fromkeys(ACTION_UNITS, 0.0) | {
        int(name[2:]): value for name, value in units.items()
    }
    faces = np.stack(
        [render(intensities, np.random.default_rng([9, i])) for i in range(count)]
    ).astype(np.float64)
    return ((faces - faces.mean((1, 2), keepdims=True)) / faces.std((1, 2), keepdims=True)).mean(0)


@pytest.mark.parametrize("expression", CLASSES)
def test_a_face_is_a_gray_image_of_48_by_48_with_contrast(expression):
    faces = faces_of(expression, 20)
    assert faces.shape == (20, 48, 48)
    assert faces.dtype == np.uint8
    assert (faces.reshape(20, -1).std(1) > 8).all()


def test_the_same_generator_state_draws_the_same_face():
    first, second = (draw_face(3, np.random.default_rng([5, 8])) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (draw_face(3, np.random.default_rng([5, 9])) != first).mean() > 0.5


def test_every_unit_of_the_table_is_known_and_its_intensity_stays_in_range():
    assert sorted(EXPRESSIONS) == list(CLASSES)
    assert {
        unit for variants in EXPRESSIONS.values() for variant in variants for unit in variant
    } <= set(ACTION_UNITS)
    for expression in CLASSES:
        units = draw_action_units(expression, np.random.default_rng(expression))
        assert set(units) == set(ACTION_UNITS)
        assert all(0.0 <= intensity <= 1.2 for intensity in units.values())


@pytest.mark.parametrize("unit", sorted(set(ACTION_UNITS)))
def test_every_action_unit_changes_the_face(unit):
    companions = {16: {25: 1.0}, 20: {25: 1.0}}.get(unit, {})
    rest = dict.fromkeys(ACTION_UNITS, 0.0) | companions
    still, moved = (
        render(rest | {unit: value}, np.random.default_rng(3)).astype(int) for value in (0.0, 1.0)
    )
    assert (abs(still - moved) > 10).sum() >= 4


def test_a_surprised_mouth_is_open_and_dark():
    mouth = np.s_[36:43, 20:28]
    assert mean_face(au25=0.6, au27=1.0)[mouth].mean() < mean_face()[mouth].mean() - 0.3


def test_a_smile_lifts_the_corners_and_a_sad_mouth_drops_them():
    def corner_height(face: np.ndarray) -> float:
        """Rows by which the darkest spot at the corners lies above that of the middle."""
        strip = face[32:46]
        corners = [strip[:, column].argmin() for column in (17, 18, 29, 30)]
        return strip[:, 23:25].mean(1).argmin() - np.mean(corners)

    assert corner_height(mean_face(au12=1.0)) > corner_height(mean_face(au15=1.0)) + 2


def test_raised_brows_darken_what_lies_above_them_and_lowered_ones_what_lies_between():
    above, between = np.s_[7:11, [13, 14, 15, 16, 31, 32, 33, 34]], np.s_[12:18, 22:26]
    rest = mean_face()
    assert mean_face(au1=1.0, au2=1.0)[above].mean() < rest[above].mean() - 0.1
    assert mean_face(au4=1.0)[between].mean() < rest[between].mean() - 0.1


def test_pixels_alone_tell_something_of_the_class_but_not_all():
    """Ridge regression on pixels is above the majority class and well below a network."""
    labels = sample_labels(1400, seed=1)
    faces = np.stack(
        [draw_face(int(label), np.random.default_rng([1, i, 0])) for i, label in enumerate(labels)]
    )
    pixels = faces.reshape(len(faces), 24, 2, 24, 2).mean((2, 4)).reshape(len(faces), -1)
    pixels = (pixels - pixels.mean(1, keepdims=True)) / pixels.std(1, keepdims=True)
    train, held_out = pixels[:1100], pixels[1100:]
    targets = np.eye(7)[labels[:1100]]
    weights = np.linalg.solve(
        train.T @ train + 300 * np.eye(train.shape[1]), train.T @ (targets - targets.mean(0))
    )
    accuracy = ((held_out @ weights + targets.mean(0)).argmax(1) == labels[1100:]).mean()
    assert 0.32 < accuracy < 0.70


def test_faces_are_no_near_copies_of_each_other():
    faces = (
        np.concatenate([faces_of(expression, 60) for expression in CLASSES])
        .reshape(420, -1)
        .astype(np.float64)
    )
    faces -= faces.mean(1, keepdims=True)
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    assert np.triu(faces @ faces.T, 1).max() < 0.95


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_csv_is_kaggles(tmp_path):
    path = write_sample(tmp_path / "new" / "data", count=400, progress=False)
    assert path == tmp_path / "new" / "data" / "fer2013.csv"
    rows = read_rows(path)
    assert len(rows) == 400
    assert list(rows[0]) == ["emotion", "pixels", "Usage"]
    for row in rows:
        pixels = [int(pixel) for pixel in row["pixels"].split(" ")]
        assert len(pixels) == 2304
        assert min(pixels) >= 0
        assert max(pixels) <= 255
    per_class = Counter(row["emotion"] for row in rows)
    assert per_class.most_common()[0][0] == "3"
    assert per_class.most_common()[-1][0] == "1"
    usage = Counter(row["Usage"] for row in rows)
    assert set(usage) == {"Training", "PublicTest", "PrivateTest"}
    assert 0.76 < usage["Training"] / 400 < 0.84
    assert len({(row["emotion"], row["Usage"]) for row in rows}) == 21
    assert sorted(os.listdir(path.parent)) == [".sample", "fer2013.csv"]


def test_a_rerun_gives_the_same_bytes_and_a_larger_count_the_same_first_rows(tmp_path):
    path = write_sample(tmp_path, count=30, seed=4, progress=False)
    first = path.read_bytes()
    assert write_sample(tmp_path, count=30, seed=4, progress=False).read_bytes() == first
    assert write_sample(tmp_path, count=70, seed=4, progress=False).read_bytes().startswith(first)
    assert write_sample(tmp_path, count=30, seed=5, progress=False).read_bytes() != first
    assert (tmp_path / ".sample").read_text().split() == [
        hashlib.sha256(path.read_bytes()).hexdigest()
    ]


@pytest.mark.parametrize(
    "name",
    ["fer2013.csv", "train.csv", "test.csv", "icml_face_data.csv", "archive.zip", "Train.CSV"],
)
def test_the_users_files_are_never_replaced(tmp_path, name):
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(
        DataError, match=rf"{name}: this file was not drawn by --sample.*another folder"
    ):
        write_sample(tmp_path, count=5, progress=False)
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"mine"


def test_an_edited_sample_counts_as_the_users(tmp_path):
    path = write_sample(tmp_path, count=5, progress=False)
    path.write_bytes(path.read_bytes() + b"0," + b"1 " * 2303 + b"1,Training\n")
    with pytest.raises(DataError, match="not drawn by --sample"):
        write_sample(tmp_path, count=5, progress=False)


def test_killed_between_file_and_marker_the_next_run_goes_on(tmp_path, monkeypatch):
    write_sample(tmp_path, count=5, progress=False)
    replace = os.replace

    def killed(source, target):
        replace(source, target)
        if Path(target).name == "fer2013.csv":
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path, count=6, progress=False)
    monkeypatch.undo()
    assert sorted(os.listdir(tmp_path)) == [".sample", "fer2013.csv"]
    assert len(read_rows(write_sample(tmp_path, count=7, progress=False))) == 7


def test_errors_name_what_was_received(tmp_path):
    with pytest.raises(DataError, match="received count=0, seed=0"):
        write_sample(tmp_path, count=0, progress=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file: sample faces cannot be written \(File exists\)"):
        write_sample(tmp_path / "file", count=5, progress=False)
