"""Copies are found, different images are not, and val is drawn so that copies stay on one side."""

import cv2
import numpy as np
import pytest

from generate_data.copies import check
from generate_data.copies.check import THRESHOLD, check_pairs
from generate_data.copies.find import Copies, find_copies
from generate_data.manifest import read_manifest
from generate_data.setup_fer2013 import set_up
from generate_data.splits import choose_val
from tests.support.kaggle_files import (
    smooth_images,
    usages_for,
    write_icml_csv,
    write_test_csv,
    write_train_csv,
)

COUNT = 300
IMAGES = smooth_images(COUNT)


def shifted(image, right, down):
    moved = np.float32([[1, 0, right], [0, 1, down]])
    return cv2.warpAffine(image, moved, (48, 48), borderMode=cv2.BORDER_REPLICATE)


def cropped(image, top, left, size):
    return cv2.resize(
        image[top : top + size, left : left + size], (48, 48), interpolation=cv2.INTER_LINEAR
    )


def jpeg(image, quality):
    return cv2.imdecode(
        cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE
    )


def brighter(image):
    return np.clip(image * 1.2 + 20, 0, 255).astype(np.uint8)


CHANGES = {
    "one pixel": lambda image: np.where(np.arange(2304).reshape(48, 48) == 1000, image ^ 1, image),
    "jpeg": lambda image: jpeg(image, 40),
    "brighter": brighter,
    "darker": lambda image: (image * 0.6).astype(np.uint8),
    "shift 1": lambda image: shifted(image, 1, -1),
    "shift 3": lambda image: shifted(image, -3, 2),
    "crop 44": lambda image: cropped(image, 1, 3, 44),
    "crop 40": lambda image: cropped(image, 4, 4, 40),
    "crop 42": lambda image: cropped(image, 3, 3, 42),
    "half size and back": lambda image: cv2.resize(
        cv2.resize(image, (24, 24), interpolation=cv2.INTER_AREA), (48, 48)
    ),
    "all together": lambda image: jpeg(brighter(cropped(image, 2, 1, 45)), 60),
}


@pytest.mark.parametrize("change", CHANGES)
def test_near_copies_are_found(change):
    altered = np.array([CHANGES[change](image) for image in IMAGES[:60]])
    copies = find_copies(np.concatenate([IMAGES, altered]))
    found = {tuple(pair) for pair in copies.near.tolist()}
    expected = {(index, COUNT + index) for index in range(60)}
    assert found <= expected  # nothing that is no copy
    assert len(found) >= 57, f"{len(found)} of 60 found"
    assert (copies.first == np.arange(COUNT + 60)).all()
    assert (copies.scores >= THRESHOLD).all()


def test_independent_images_are_no_copies():
    copies = find_copies(smooth_images(2000, seed=3))
    assert len(copies.near) == 0
    assert (copies.first == np.arange(2000)).all()


def test_different_images_with_the_same_broad_light_are_no_copies():
    """What makes faces resemble each other: a common broad part."""
    common = smooth_images(1, seed=77)[0].astype(float)
    broad = cv2.GaussianBlur(common, (0, 0), 6)
    fine = smooth_images(100, seed=78).astype(float)
    images = np.array(
        [broad + 0.5 * (image - cv2.GaussianBlur(image, (0, 0), 4)) for image in fine]
    )
    assert len(find_copies(np.clip(images, 0, 255).astype(np.uint8)).near) == 0


def test_exact_copies_point_at_the_first():
    images = IMAGES[[0, 1, 2, 1, 3, 1, 0]]
    assert find_copies(images).first.tolist() == [0, 1, 2, 1, 4, 1, 0]


def test_blank_images_are_exact_copies_only():
    images = np.concatenate(
        [np.full((3, 48, 48), 0), np.full((2, 48, 48), 255), np.full((1, 48, 48), 7), IMAGES[:80]]
    )
    copies = find_copies(images.astype(np.uint8))
    assert copies.first[:6].tolist() == [0, 0, 0, 3, 3, 5]
    assert len(copies.near) == 0


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_images(count):
    copies = find_copies(IMAGES[:count])
    assert copies.first.tolist() == list(range(count))
    assert copies.near.shape == (0, 2)
    assert copies.groups().tolist() == list(range(count))


def test_score_is_one_for_the_same_detail_and_low_for_another():
    images = np.array([IMAGES[0], IMAGES[0] // 2 + 60, IMAGES[1]], np.uint8)
    same, other = check_pairs(images, np.array([[0, 1], [0, 2]]))
    assert same == pytest.approx(1, abs=0.01)
    assert other < 0.7


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_threads_and_the_size_of_pieces_change_nothing(monkeypatch, workers):
    altered = np.array([brighter(image) for image in IMAGES[:40]])
    images = np.concatenate([IMAGES, altered])
    expected = find_copies(images)
    monkeypatch.setattr(check, "WORKERS", workers)
    monkeypatch.setattr(check, "PIECE", 7)
    copies = find_copies(images)
    assert copies.near.tolist() == expected.near.tolist()
    np.testing.assert_allclose(copies.scores, expected.scores, atol=1e-5)
    assert len(expected.near) >= 38


def test_groups_join_copies_of_copies():
    copies = Copies(
        np.array([0, 1, 2, 0, 4, 5]), np.array([[0, 4], [4, 5]]), np.array([0.95, 0.96])
    )
    groups = copies.groups()
    assert groups[0] == groups[3] == groups[4] == groups[5]
    assert len({groups[0], groups[1], groups[2]}) == 3


def test_sources_prefer_exact_then_the_most_alike():
    # 4 is an exact duplicate of 1 and nearly 0; 5 is nearly 0 (0.93) and nearly 2 (0.97).
    #                 0  1  2  3  4  5
    copies = Copies(
        np.array([0, 1, 2, 3, 1, 5]),
        np.array([[0, 1], [0, 5], [2, 5]]),
        np.array([0.99, 0.93, 0.97]),
    )
    train = np.array([True, True, True, True, False, False])
    source, kind = copies.sources(train, ~train)
    assert source.tolist() == [-1, -1, -1, -1, 1, 2]
    assert kind.tolist() == ["", "", "", "", "exact", "near"]
    source, kind = copies.sources(train, train, earlier=True)
    assert source.tolist() == [-1, 0, -1, -1, -1, -1]
    assert kind[1] == "near"


def test_near_copy_of_an_exact_copy_outside_train_is_a_copy_of_train():
    """Image 2 (val) is nearly image 1 (test), which is exactly image 0 (train)."""
    copies = Copies(np.array([0, 0, 2]), np.array([[0, 2]]), np.array([0.95]))
    source, kind = copies.sources(np.array([True, False, False]), np.array([False, True, True]))
    assert source.tolist() == [-1, 0, 0]
    assert kind.tolist() == ["", "exact", "near"]


def test_manifest_marks_copies_with_the_row_of_train(tmp_path):
    images = smooth_images(100)
    images[90], images[91] = images[7], CHANGES["crop 44"](images[8])
    images[95], images[60] = brighter(images[9]), images[20]
    write_icml_csv(tmp_path / "icml_face_data.csv", images, usages_for(80, 10, 10))
    set_up(tmp_path, progress=False)
    table = read_manifest(tmp_path).table
    marked = table[table["copy_kind"] != ""]
    assert marked["source_row"].tolist() == [60, 90, 91, 95]
    assert marked["copy_of"].tolist() == [20, 7, 8, 9]
    assert marked["copy_kind"].tolist() == ["exact", "exact", "near", "near"]
    assert table["copy_of"].isna().sum() == 96


def test_unlabelled_rows_are_marked_too(tmp_path):
    images = smooth_images(80)
    images[70], images[71] = images[3], brighter(images[4])
    write_train_csv(tmp_path / "train.csv", images[:64])
    write_test_csv(tmp_path / "test.csv", images[64:])
    set_up(tmp_path, progress=False)
    table = read_manifest(tmp_path).table
    train = set(table[table["split"] == "train"]["source_row"])
    rows = table[table["source"] == "test.csv"].set_index("source_row")
    for row, original, kind in ((6, 3, "exact"), (7, 4, "near")):
        if original in train:
            assert (rows.loc[row, "copy_of"], rows.loc[row, "copy_kind"]) == (original, kind)
    assert train & {3, 4}


@pytest.mark.parametrize("seed", range(5))
def test_val_keeps_copies_on_one_side(tmp_path, seed):
    images = smooth_images(128)
    for index in range(32):
        images[96 + index] = images[index] if index % 2 else brighter(images[index])
    write_train_csv(tmp_path / "train.csv", images, labels=[index % 32 % 4 for index in range(128)])
    summary = set_up(tmp_path, seed=seed, progress=False)
    table = read_manifest(tmp_path).table.set_index("source_row")
    assert (table["split"] == "val").sum() == 16
    assert all(table.loc[index, "split"] == table.loc[96 + index, "split"] for index in range(32))
    counts = {(count["rows"], count["of"]): count for count in summary["copies"]}
    assert counts["val", "train"]["exact"] == counts["val", "train"]["near"] == 0
    assert counts["train", "train"]["exact"] > 0


def test_choose_val_by_hand():
    labels = np.array([0] * 16 + [1] * 8)
    groups = np.arange(24)
    groups[[0, 1, 2]] = 0  # three of class 0: more than its share of two
    groups[[16, 4]] = 4
    chosen = choose_val(labels, groups, seed=0)
    assert np.bincount(labels[chosen]).tolist() == [2, 1]
    assert not chosen[[0, 1, 2]].any()
    assert chosen[16] == chosen[4]
    assert (choose_val(labels, groups, seed=0) == chosen).all()
    assert any((choose_val(labels, groups, seed=seed) != chosen).any() for seed in range(1, 5))
    drawn = [choose_val(labels, groups, seed)[16] for seed in range(60)]
    assert any(drawn)  # groups are drawn too, not only single rows


def test_val_of_fer2013_has_3589_rows():
    labels = np.repeat(np.arange(7), [3995, 436, 4097, 7215, 4830, 3171, 4965])
    chosen = choose_val(labels, np.arange(len(labels)), seed=0)
    assert chosen.sum() == 3589
    assert np.abs(np.bincount(labels[chosen]) - np.bincount(labels) / 8).max() < 1


def test_rows_of_test_are_marked_as_copies_of_val_where_val_was_cut_from_train():
    copies = Copies(np.array([0, 1, 0, 1, 4, 5]), np.array([[1, 5]]), np.array([0.95]))
    splits = np.array(["train", "val", "test", "test", "test", "test"])
    rows = [10, 11, 12, 13, 14, 15]
    assert copies.columns(splits, rows, "train") == ([
        "", "", 10, 11, "", 11], ["", "", "exact", "exact", "", "near"])  # fmt: skip
    assert copies.columns(splits, rows) == (["", "", 10, "", "", ""], ["", "", "exact", "", "", ""])


def test_val_cut_from_train_points_to_train_alone():
    copies = Copies(np.array([0, 0, 0, 0]), np.zeros((0, 2), int), np.zeros(0))
    splits = np.array(["val", "train", "val", "train"])
    assert copies.columns(splits, [0, 1, 2, 3], "train") == (
        [1, "", 1, 1],
        ["exact", "", "exact", "exact"],
    )
