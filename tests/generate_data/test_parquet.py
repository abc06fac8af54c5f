"""Datasets of the Hugging Face Hub: parquet files with an image and a label in each row."""

import cv2
import numpy as np
import pytest

from generate_data.images.png import read_image
from generate_data.manifest import read_manifest
from generate_data.readers.parquet_files import split_of
from generate_data.setup_image_folders import format_image_summary, set_up_image_dataset
from tests.support.image_datasets import assert_refused, file_states, write_tree
from tests.support.kaggle_files import smooth_images
from tests.support.parquet_files import encoded, write_parquet

IMAGES = smooth_images(48)
AFFECTNETHQ = ["anger", "surprise", "contempt", "happy", "neutral", "fear", "sad", "disgust"]
RAFDB = ["Anger", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"]
FER2013 = ["Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral"]


def shard(path, rows, names, ending=".png"):
    """Rows whose labels are their numbers in turn."""
    labels = [row % len(names) for row in rows]
    return write_parquet(path, [encoded(IMAGES[row], ending) for row in rows], labels, names)


def set_up_and_read(data, source, **options):
    """The summary, the manifest and (split, class, image) of each row."""
    summary = set_up_image_dataset(data, "folders", source, progress=False, **options)
    manifest = read_manifest(data)
    rows = zip(
        manifest.table["path"], manifest.table["split"], manifest.table["label"], strict=True
    )
    found = [
        (split, manifest.class_names[label], read_image(data / path)) for path, split, label in rows
    ]
    return summary, manifest, found


def check_rows(found, numbers, names, split):
    """Each of these images is in the split, with the class of its label."""
    kept = {image.tobytes(): name for part, name, image in found if part == split}
    assert kept == {IMAGES[row].tobytes(): names[row % len(names)] for row in numbers}


def test_fer2013_in_three_splits_and_several_shards(source, data):
    shard(source / "data/train-00000-of-00002.parquet", range(14), FER2013)
    shard(source / "data/train-00001-of-00002.parquet", range(14, 28), FER2013)
    shard(source / "data/valid-00000-of-00001.parquet", range(28, 35), FER2013)
    shard(source / "data/test-00000-of-00001.parquet", range(35, 42), FER2013)
    (source / "README.md").write_text("---\nlicense: mit\n---\n")
    before = file_states(source)
    summary, manifest, found = set_up_and_read(data, source)
    names = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert manifest.class_names == names
    check_rows(found, range(28), names, "train")
    check_rows(found, range(28, 35), names, "val")
    check_rows(found, range(35, 42), names, "test")
    assert file_states(source) == before
    assert summary["val_from"] == "source"
    assert manifest.table["path"][0].startswith(f"{summary['unpacked']}/test/angry/data-test-00000")
    text = format_image_summary(summary)
    assert text.startswith(f"Read 4 parquet files, in {source}.")
    assert f"images of 48x48 pixels are in {data / summary['unpacked']}." in text


def test_affectnethq_has_eight_classes_in_its_own_order_and_train_only(source, data):
    shard(source / "data/train-00000-of-00002.parquet", range(24), AFFECTNETHQ, ".jpg")
    shard(source / "data/train-00001-of-00002.parquet", range(24, 48), AFFECTNETHQ, ".jpg")
    summary, manifest, found = set_up_and_read(data, source)
    assert manifest.class_names == (
        "angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt",
    )  # fmt: skip
    assert manifest.table["source_label"].value_counts().to_dict() == dict.fromkeys("01234567", 6)
    kept = {image.tobytes(): name for _, name, image in found}
    row = 5  # fear
    decoded = cv2.imdecode(np.frombuffer(encoded(IMAGES[row], ".jpg"), np.uint8), 0)
    assert kept[decoded.tobytes()] == "fear"
    assert all(path.endswith(".jpg") for path in manifest.table["path"])
    assert summary["val_from"] == "all"
    assert {name: split["rows"] for name, split in summary["splits"].items()} == {
        "train": 36, "val": 6, "test": 6,
    }  # fmt: skip


def test_rafdb_as_one_file(source, data):
    file = shard(source / "train-00000-of-00001.parquet", range(42), RAFDB)
    summary, manifest, found = set_up_and_read(data, file)
    names = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    assert {image.tobytes(): name for _, name, image in found} == {
        IMAGES[row].tobytes(): names[row % 7] for row in range(42)
    }
    assert manifest.description["source"] == file.as_posix()
    assert summary["taken"] == ["1 parquet file"]


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("data/train-00000-of-00002.parquet", "train"),
        ("validation-00000-of-00001.parquet", "val"),
        ("valid.parquet", "val"),
        ("data/test-00000-of-00001-0123456789abcdef.parquet", "test"),
        ("default/train/0000.parquet", "train"),
        ("fer.parquet", ""),
    ],
)
def test_split_of_a_file(tmp_path, path, split):
    assert split_of(tmp_path / path) == split


def test_the_layout_of_the_hubs_own_conversion(source, data):
    shard(source / "default/train/0000.parquet", range(14), FER2013)
    shard(source / "default/train/0001.parquet", range(14, 28), FER2013)
    shard(source / "default/test/0000.parquet", range(28, 35), FER2013)
    found = set_up_and_read(data, source)[2]
    assert [split for split, _, _ in found].count("test") == 7
    assert len({image.tobytes() for _, _, image in found}) == 35


def test_files_without_a_split_beside_others_are_reported(source, data):
    shard(source / "train-00000-of-00001.parquet", range(14), FER2013)
    shard(source / "test-00000-of-00001.parquet", range(14, 21), FER2013)
    shard(source / "extra.parquet", range(21, 28), FER2013)
    summary, _, found = set_up_and_read(data, source)
    assert len(found) == 21
    assert any("1 parquet files are not read" in line for line in summary["warnings"])


def test_class_folders_come_before_a_parquet_file_beside_them(source, data, faces):
    write_tree(source, ["happy/1.png", "sad/1.png"], faces)
    shard(source / "train.parquet", range(14), FER2013)
    assert set_up_and_read(data, source)[1].class_names == ("happy", "sad")


def test_labels_that_are_texts_need_no_metadata(source, data):
    images = [encoded(image) for image in IMAGES[:16]]
    labels = ["Happiness", "sadness"] * 8
    write_parquet(source / "faces.parquet", images, labels, None, ("image", "label"))
    assert set_up_and_read(data, source)[1].class_names == ("happy", "sad")


def test_columns_of_other_names_are_found_by_their_type(source, data):
    images = [encoded(image) for image in IMAGES[:16]]
    write_parquet(source / "faces.parquet", images, [0, 1] * 8, ["joy", "awe"], ("img", "emotion"))
    assert set_up_and_read(data, source)[1].class_names == ("happy", "awe")


def test_again_gives_the_same_bytes_and_other_content_replaces_it(source, data):
    path = shard(source / "train-00000-of-00001.parquet", range(28), FER2013)
    first = set_up_and_read(data, source)[0]["unpacked"]
    before = {name: state[0] for name, state in file_states(data).items()}
    set_up_and_read(data, source)
    assert {name: state[0] for name, state in file_states(data).items()} == before
    shard(path, range(14), FER2013)
    second = set_up_and_read(data, source)[0]["unpacked"]
    assert second != first
    assert sorted(path.name for path in data.iterdir()) == sorted(
        ["dataset.json", "manifest.csv", second]
    )


def test_the_folder_of_the_dataset_may_be_moved(source, data, tmp_path):
    shard(source / "train-00000-of-00001.parquet", range(28), FER2013)
    set_up_and_read(data, source)
    data.rename(tmp_path / "moved")
    assert read_manifest(tmp_path / "moved").missing_images() == []


def test_names_of_labels_cannot_leave_the_folder(source, data, tmp_path):
    images = [encoded(image) for image in IMAGES[:16]]
    names = ["../../../../out", "/etc"]
    write_parquet(source / "train.parquet", images, [0, 1] * 8, names)
    assert len(set_up_and_read(data, source)[2]) == 16
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "source"]


def test_rows_without_a_label_are_skipped(source, data):
    images = [encoded(image) for image in IMAGES[:16]]
    write_parquet(source / "train.parquet", images, [0, 1] * 7 + [-1, None], FER2013)
    summary, _, found = set_up_and_read(data, source)
    assert len(found) == 14
    assert "Skipped by label: 2 no label." in format_image_summary(summary)


@pytest.mark.parametrize(
    ("image", "label", "match"),
    [
        (None, 0, r"1 rows without an image, the first: .*train.parquet row 3"),
        (b"", 0, r"1 rows without an image, the first: .*train.parquet row 3"),
        (b"no image", 0, r"1 bad row.*train-000003.png: not an image that can be read"),
        (encoded(IMAGES[0]), 7, r"1 rows whose label has no name, the first: .* row 3: label 7"),
    ],
)
def test_bad_rows_stop_set_up_or_are_dropped(source, data, image, label, match):
    images = [encoded(image) for image in IMAGES[:16]]
    labels = [0, 1] * 8
    images[3], labels[3] = image, label
    write_parquet(source / "train.parquet", images, labels, FER2013)
    assert "\n" not in assert_refused(match, data, "folders", source)
    assert list(data.iterdir()) == []
    summary, _, found = set_up_and_read(data, source, skip_bad_rows=True)
    assert (len(found), summary["skipped_rows"]) == (15, 1)


@pytest.mark.parametrize("keep", [0, 3, 0.5, 0.95])
def test_a_file_that_is_cut_short_gets_one_line(source, data, keep):
    path = shard(source / "train.parquet", range(14), FER2013)
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    match = r"train.parquet: not a parquet file, or cut short \(.*\); download it again"
    assert "\n" not in assert_refused(match, data, "folders", source)


def test_damage_inside_a_file_is_one_line_or_one_image(source, data):
    path = shard(source / "train.parquet", range(14), FER2013)
    content = bytearray(path.read_bytes())
    content[20:400] = bytes(380)
    path.write_bytes(content)
    assert_refused(r"train.parquet: damaged or cut short|bad row", data, "folders", source)


@pytest.mark.parametrize(
    ("names", "columns", "match"),
    [
        (None, ("image", "label"), r"column label has numbers, and the metadata has no names"),
        (FER2013, ("picture", "text"), r"one class only"),
        (None, ("picture", "text"), r"no column image and no column label, only picture, text"),
        (["0", "1"], ("image", "label"), r"the names of its labels are numbers \(0, 1\)"),
    ],
)
def test_other_columns_get_one_line(source, data, names, columns, match):
    write_parquet(source / "train.parquet", [encoded(IMAGES[0])], [0], names, columns)
    assert "\n" not in assert_refused(match, data, "folders", source)
