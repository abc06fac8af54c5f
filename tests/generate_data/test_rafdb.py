"""The reader of RAF-DB: the list, class folders, and what it rejects."""

from collections import Counter

import pytest

from generate_data.labels import CLASS_NAMES
from tests.support.image_datasets import (
    RAFDB,
    assert_refused,
    file_states,
    rafdb_list,
    set_up_and_read,
    write_tree,
)


def test_rafdb_by_list(rafdb, data):
    before = file_states(rafdb)
    summary, manifest, found = set_up_and_read(data, "rafdb", rafdb)
    assert manifest.class_names == CLASS_NAMES
    for number in range(35):
        split, name = found[
            f"Image/aligned/{'train' if number < 28 else 'test'}_{number:05d}_aligned.jpg"
        ]
        assert name == RAFDB[number % 7]
        assert split in ("train", "val") if number < 28 else split == "test"
    assert Counter(split for split, _ in found.values()) == {"train": 24, "val": 4, "test": 7}
    assert set(manifest.table["source"]) == {"list_patition_label.txt"}
    assert set(manifest.table["source_label"]) == set("1234567")
    assert summary["val_from"] == "train"
    assert file_states(rafdb) == before


@pytest.mark.parametrize("subfolder", ["", "basic/EmoLabel"])
def test_rafdb_list_elsewhere_and_spelled_right(rafdb, data, subfolder):
    (rafdb / subfolder).mkdir(parents=True, exist_ok=True)
    rafdb_list(rafdb).rename(rafdb / subfolder / "list_partition_label.txt")
    if subfolder:
        (rafdb / "Image").rename(rafdb / "basic/Image")
    assert len(set_up_and_read(data, "rafdb", rafdb)[2]) == 35


@pytest.mark.parametrize("subfolder", ["", "DATASET/"])
def test_rafdb_class_folders(source, data, faces, subfolder):
    names = [
        f"{subfolder}{split}/{label}/{split}_{label}_aligned.jpg"
        for split in ("train", "test")
        for label in range(1, 8)
    ]
    write_tree(source, names, faces)
    _, manifest, found = set_up_and_read(data, "rafdb", source)
    assert {path: name for path, (_, name) in found.items()} == {
        path: RAFDB[int(path.split("/")[-2]) - 1] for path in names
    }
    assert manifest.class_names == CLASS_NAMES


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("train_00001.jpg", r"line 2, 'train_00001.jpg': 1 fields, expected a name and a label"),
        ("train_00001.jpg 5 6", r"line 2, .*: 3 fields"),
        ("train_00001.jpg 8", r"line 2, .*: label 8, expected 1 to 7"),
        ("train_00001.jpg 0", r"line 2, .*: label 0, expected 1 to 7"),
        ("train_00001.jpg happy", r"line 2, .*: label happy, expected 1 to 7"),
        ("valid_00001.jpg 5", r"line 2, .*: a name that starts with neither train_ nor test_"),
        ("train_00000.jpg 5", r"line 2, .*: listed twice"),
    ],
)
def test_rafdb_malformed_line(rafdb, data, line, match):
    lines = rafdb_list(rafdb).read_text().splitlines()
    rafdb_list(rafdb).write_text("\n".join([lines[0], line, "", *lines[2:]]))
    message = assert_refused(
        r"1 bad lines in list_patition_label.txt, the first: " + match, data, "rafdb", rafdb
    )
    assert "\n" not in message
    summary, _, found = set_up_and_read(data, "rafdb", rafdb, skip_bad_rows=True)
    assert len(found) == 34
    assert summary["skipped_rows"] == 1


def test_rafdb_images_of_the_list_missing(rafdb, data):
    (rafdb / "Image/aligned/train_00002_aligned.jpg").unlink()
    (rafdb / "Image/aligned/test_00030_aligned.jpg").unlink()
    match = (
        r"2 images of list_patition_label.txt that do not exist, "
        r"the first: .*train_00002_aligned.jpg.*--skip-bad-rows"
    )
    assert "\n" not in assert_refused(match, data, "rafdb", rafdb)


def test_rafdb_without_aligned_images(rafdb, data):
    (rafdb / "Image").rename(rafdb / "image.bak")
    assert_refused(
        r"list_patition_label.txt exists without aligned images, "
        r"looked for in Image/aligned, basic/Image/aligned, aligned",
        data,
        "rafdb",
        rafdb,
    )


def test_rafdb_unknown_class_folder(source, data, faces):
    write_tree(source, ["train/1/1.jpg", "train/8/2.jpg"], faces)
    assert_refused(
        r"train/8: not a class of RAF-DB, expected a folder 1 to 7", data, "rafdb", source
    )


@pytest.mark.parametrize("numbers", [range(7), range(1, 8)])
def test_rafdb_with_valid_for_test(source, data, faces, numbers):
    """POSTER's way: train and valid, class folders from 0 or from 1."""
    names = [
        f"{folder}/{label}/{part}_{label}{copy}_aligned.jpg"
        for folder, part in (("train", "train"), ("valid", "test"))
        for label in numbers
        for copy in "ab"
    ]
    write_tree(source, names, faces)
    summary, manifest, found = set_up_and_read(data, "rafdb", source)
    assert {path: name for path, (_, name) in found.items()} == {
        path: RAFDB[int(path.split("/")[1]) - numbers[0]] for path in names
    }
    assert {split for path, (split, _) in found.items() if path.startswith("valid")} == {"test"}
    assert {split for path, (split, _) in found.items() if path.startswith("train")} == {
        "train",
        "val",
    }
    assert manifest.class_names == CLASS_NAMES
    line = (
        "folder valid holds RAF-DB's test set (RAF-DB has no validation images), "
        "so it becomes split test; val is drawn from train."
    )
    assert line in summary["warnings"]
    renumbered = "the class folders 0 to 6 are taken as RAF-DB's labels 1 to 7."
    assert (renumbered in summary["warnings"]) == (numbers[0] == 0)


@pytest.mark.parametrize("more", [["test/1/test_1_aligned.jpg"], []])
def test_rafdb_with_a_val_of_its_own(source, data, faces, more):
    """A val beside test, or one of train images, stays val."""
    name = "valid/1/other.jpg" if more else "valid/1/train_9_aligned.jpg"
    names = [*(f"train/{label}/train_{label}_aligned.jpg" for label in range(1, 8)), name, *more]
    summary, _, found = set_up_and_read(data, "rafdb", write_tree(source, names, faces))
    assert found[name] == ("val", "surprise")
    assert not any("test set" in line for line in summary["warnings"])


def test_rafdb_list_with_train_and_valid(rafdb, data):
    """POSTER's documented way: the list, and flat images in train and valid."""
    for folder, part in (("train", "train"), ("valid", "test")):
        (rafdb / folder).mkdir()
        for path in (rafdb / "Image/aligned").glob(f"{part}_*"):
            path.rename(rafdb / folder / path.name)
    (rafdb / "Image/aligned").rmdir()
    (rafdb / "Image").rmdir()
    summary, _, found = set_up_and_read(data, "rafdb", rafdb)
    assert found["valid/test_00030_aligned.jpg"] == ("test", RAFDB[30 % 7])
    assert found["train/train_00003_aligned.jpg"][1] == RAFDB[3]
    assert Counter(split for split, _ in found.values()) == {"train": 24, "val": 4, "test": 7}
    assert any(line.startswith("folder valid holds") for line in summary["warnings"])


def write_csv(root, split, rows):
    lines = ["image,label", *(f"{name},{label}" for name, label in rows)]
    (root / f"{split}_labels.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("place", ["", "images/", "{split}/", "DATASET/{split}/"])
def test_rafdb_flat_images_with_csv(source, data, faces, place):
    for split, copies in (("train", "abc"), ("test", "d")):
        names = [f"{split}_{label}{copy}_aligned.jpg" for label in range(1, 8) for copy in copies]
        write_tree(source, [place.format(split=split) + name for name in names], faces)
        write_csv(source, split, [(name, name.split("_")[1][0]) for name in names])
    summary, manifest, found = set_up_and_read(data, "rafdb", source)
    assert len(found) == 28
    for path, (split, name) in found.items():
        part, label = path.rpartition("/")[2].split("_")[:2]
        assert name == RAFDB[int(label[0]) - 1]
        assert split == "test" if part == "test" else split in ("train", "val")
    assert manifest.class_names == CLASS_NAMES
    assert set(manifest.table["source_label"]) == set("1234567")
    assert summary["taken"] == ["RAF-DB with test_labels.csv and train_labels.csv"]
    assert not any("not read" in line for line in summary["warnings"])


def test_rafdb_class_folders_beside_csv(source, data, faces):
    """Kaggle's copy has both; its class folders are read."""
    names = [f"DATASET/{s}/{label}/{s}_{label}.jpg" for s in ("train", "test") for label in (1, 2)]
    write_tree(source, names, faces)
    write_csv(source, "train", [("train_1.jpg", 1), ("train_2.jpg", 2)])
    summary, _, found = set_up_and_read(data, "rafdb", source)
    assert {path: name for path, (_, name) in found.items()} == {
        path: RAFDB[int(path.split("/")[2]) - 1] for path in names
    }
    assert summary["taken"] == ["RAF-DB as class folders"]


@pytest.mark.parametrize(
    ("row", "match"),
    [
        (("train_1.jpg", 8), r"1 bad lines in train_labels.csv, the first: line 2, .*label '8'"),
        (("train_1.jpg", ""), r"1 bad lines .* label '', expected 1 to 7"),
        (("gone.jpg", 3), r"1 images of train_labels.csv that do not exist, .* gone.jpg of line 2"),
        (("train_2.jpg", 2), r"1 bad lines .* line 3, 'train_2.jpg': listed twice"),
    ],
)
def test_rafdb_csv_malformed_row(source, data, faces, row, match):
    write_tree(source, ["train_1.jpg", "train_2.jpg", "train_3.jpg"], faces)
    write_csv(source, "train", [row, ("train_2.jpg", 2), ("train_3.jpg", 3)])
    assert "\n" not in assert_refused(match, data, "rafdb", source)
    _, _, found = set_up_and_read(data, "rafdb", source, skip_bad_rows=True)
    assert set(found) == {"train_2.jpg", "train_3.jpg"}


def test_rafdb_csv_with_other_columns(source, data, faces):
    write_tree(source, ["train_1.jpg"], faces)
    (source / "train_labels.csv").write_text("file,label\ntrain_1.jpg,1\n")
    match = r"train_labels.csv: wrong header, image missing, expected image,label; download"
    assert_refused(match, data, "rafdb", source)
