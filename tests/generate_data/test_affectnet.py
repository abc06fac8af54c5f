"""The reader of AffectNet: annotations, class folders, and what it rejects."""

from collections import Counter

import numpy as np
import pytest

from generate_data.labels import CLASS_NAMES
from generate_data.summary import format_image_summary
from tests.support.image_datasets import (
    AFFECTNET,
    assert_refused,
    file_states,
    set_up_and_read,
    write_tree,
)


def test_affectnet_with_annotations(affectnet, data):
    before = file_states(affectnet)
    summary, manifest, found = set_up_and_read(data, "affectnet", affectnet)
    assert manifest.class_names == (*CLASS_NAMES, "contempt")
    assert manifest.in_place
    for number in range(33):
        path = f"{'train_set' if number < 22 else 'val_set'}/images/{number}.jpg"
        if number % 11 > 7:
            assert path not in found
        else:
            split, name = found[path]
            assert name == AFFECTNET[number % 11]
            assert split in ("train", "val") if number < 22 else split == "test"
    assert summary["skipped_labels"] == {"none": 3, "uncertain": 3, "no face": 3}
    assert Counter(split for split, _ in found.values()) == {"train": 14, "val": 2, "test": 8}
    assert set(manifest.table["source"]) == {"affectnet"}
    assert set(manifest.table["source_label"]) <= {str(label) for label in range(8)} | {
        f"{label}.0" for label in range(8)
    }
    assert file_states(affectnet) == before


def test_affectnet_with_seven_classes(affectnet, data):
    summary, manifest, found = set_up_and_read(data, "affectnet", affectnet, classes=7)
    assert manifest.class_names == CLASS_NAMES
    assert summary["skipped_labels"]["contempt"] == 3
    assert len(found) == 21
    assert manifest.description["skipped_labels"] == {
        "contempt": 3,
        "no face": 3,
        "none": 3,
        "uncertain": 3,
    }


def test_source_rows_are_the_same_for_seven_and_eight_classes(affectnet, data, tmp_path):
    eight = set_up_and_read(data, "affectnet", affectnet)[1].table
    seven = set_up_and_read(tmp_path / "seven", "affectnet", affectnet, classes=7)[1].table
    rows = dict(zip(eight["path"], eight["source_row"], strict=True))
    assert all(
        rows[path] == row for path, row in zip(seven["path"], seven["source_row"], strict=True)
    )


def test_affectnet_class_folders(source, data, faces):
    names = [f"train/{label}/{number}.jpg" for label in range(11) for number in range(2)]
    write_tree(
        source,
        [*names, "val/0/a.jpg", "val/Anger/b.png", "val/7/c.jpg", "val/no face/d.jpg"],
        faces,
    )
    summary, manifest, found = set_up_and_read(data, "affectnet", source)
    assert {path: name for path, (_, name) in found.items() if path.startswith("train")} == {
        path: AFFECTNET[int(path.split("/")[1])] for path in names if int(path.split("/")[1]) < 8
    }
    assert found["val/Anger/b.png"] == ("test", "angry")
    assert found["val/7/c.jpg"] == ("test", "contempt")
    assert summary["skipped_labels"] == {"none": 2, "uncertain": 2, "no face": 3}
    row = manifest.table[manifest.table["path"].str.endswith("b.png")].iloc[0]
    assert row["source_label"] == "Anger"


def test_affectnet_that_someone_split_anew(source, data, faces):
    write_tree(
        source,
        [f"{split}/{label}/1.jpg" for split in ("train", "val", "test") for label in range(8)],
        faces,
    )
    summary, _, found = set_up_and_read(data, "affectnet", source)
    assert all(split == path.split("/")[0] for path, (split, _) in found.items())
    assert "its splits were changed" in format_image_summary(summary)


def test_affectnet_annotations_missing(affectnet, data):
    for number in (3, 5):
        (affectnet / f"train_set/annotations/{number}_exp.npy").unlink()
    match = (
        r"2 images without an annotation \(annotations/<id>_exp.npy in train_set\), "
        r"the first: .*images/3.jpg.*--skip-bad-rows"
    )
    assert "\n" not in assert_refused(match, data, "affectnet", affectnet)
    summary, _, found = set_up_and_read(data, "affectnet", affectnet, skip_bad_rows=True)
    assert summary["skipped_rows"] == 2
    assert len(found) == 22


def test_affectnet_annotation_folder_missing(affectnet, data):
    (affectnet / "train_set/annotations").rename(affectnet / "elsewhere")
    assert_refused(
        r"22 images without an annotation \(annotations/<id>_exp.npy in train_set\)",
        data,
        "affectnet",
        affectnet,
    )


def test_affectnet_image_folder_missing(affectnet, data):
    (affectnet / "train_set/images").rename(affectnet / "elsewhere")
    assert_refused(
        r"train_set/images: cannot read the folder \(No such file", data, "affectnet", affectnet
    )


def test_affectnet_without_its_val(affectnet, data):
    (affectnet / "val_set").rename(affectnet / "elsewhere")
    summary, _, found = set_up_and_read(data, "affectnet", affectnet)
    assert {split for split, _ in found.values()} == {"train", "val"}
    assert "Warning: no val folder" in format_image_summary(summary)


@pytest.mark.parametrize(
    ("value", "received"),
    [
        (np.array("happy"), "holds 'happy'"),
        (np.array(11), "holds '11'"),
        (np.array(-1), "holds '-1'"),
        (np.array(2.5), "holds '2.5'"),
        (np.array([1, 2]), "holds '2 values'"),
        (np.array(float("nan")), "holds 'nan'"),
        (np.array({"a": 1}), "holds 'not an array"),
        (b"", "holds 'not an array"),
    ],
)
def test_affectnet_annotation_is_no_label(affectnet, data, value, received):
    path = affectnet / "train_set/annotations/4_exp.npy"
    if isinstance(value, bytes):
        path.write_bytes(value)
    else:
        np.save(path, value)
    match = (
        r"1 annotations that are not a label, expected a number from 0 to 10, "
        rf"the first: .*4_exp.npy {received}"
    )
    assert "\n" not in assert_refused(match, data, "affectnet", affectnet)


def test_affectnet_annotation_without_image(affectnet, data):
    (affectnet / "train_set/images/0.jpg").unlink()
    summary = set_up_and_read(data, "affectnet", affectnet)[0]
    assert "Warning: 1 annotations in" in format_image_summary(summary)


def test_affectnet_unknown_class_folder(source, data, faces):
    write_tree(source, ["train/1/1.jpg", "train/11/2.jpg"], faces)
    assert_refused(
        r"train/11: not a class of AffectNet, expected a folder 0 to 10", data, "affectnet", source
    )
