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
