"""Every layout that Kaggle ships is read, with the right images, labels and splits."""

import numpy as np
import pytest

from generate_data.errors import DataError
from generate_data.images.png import load_images
from generate_data.manifest import read_manifest
from generate_data.setup_fer2013 import format_summary, set_up
from tests.support.kaggle_files import (
    CLASS_NAMES,
    csv_text,
    rows_of,
    smooth_images,
    tar_file,
    usages_for,
    write_class_folders,
    write_fer2013_csv,
    write_icml_csv,
    write_test_csv,
    write_train_csv,
    zip_file,
)

IMAGES = smooth_images(42)
USAGES = usages_for(28, 7, 7)


def check_usage_dataset(folder):
    """The dataset holds IMAGES with labels 0..6 in turn, 28 + 7 + 7 rows."""
    manifest = read_manifest(folder)
    assert manifest.class_names == CLASS_NAMES
    images = load_images([folder / path for path in manifest.table["path"]])
    np.testing.assert_array_equal(images[..., 0], IMAGES)
    assert manifest.table["label"].tolist() == [index % 7 for index in range(42)]
    assert manifest.table["split"].tolist() == ["train"] * 28 + ["val"] * 7 + ["test"] * 7
    assert manifest.table["source_row"].tolist() == list(range(42))


def content(writer, tmp_path, *arguments):
    return writer(tmp_path / "content.csv", *arguments).read_bytes()


def test_icml_header_with_spaces(tmp_path):
    write_icml_csv(tmp_path / "icml_face_data.csv", IMAGES, USAGES)
    summary = set_up(tmp_path, progress=False)
    check_usage_dataset(tmp_path)
    assert summary["taken"] == ["icml_face_data.csv"]
    assert summary["val_from"] == "source"


def test_fer2013_plain(tmp_path):
    write_fer2013_csv(tmp_path / "fer2013.csv", IMAGES, USAGES)
    set_up(tmp_path, progress=False)
    check_usage_dataset(tmp_path)


def test_fer2013_in_tar_at_a_nested_path(tmp_path):
    csv = content(write_fer2013_csv, tmp_path, IMAGES, USAGES)
    data = tmp_path / "data"
    data.mkdir()
    tar_file(
        data / "fer2013.tar.gz",
        {"fer2013/README": b"read me", "fer2013/fer2013.csv": csv, "fer2013/x.bib": b""},
    )
    summary = set_up(data, progress=False)
    check_usage_dataset(data)
    assert summary["taken"] == ["fer2013.tar.gz: fer2013/fer2013.csv"]


def test_icml_in_zip(tmp_path):
    csv = content(write_icml_csv, tmp_path, IMAGES, USAGES)
    data = tmp_path / "data"
    data.mkdir()
    zip_file(data / "icml_face_data.csv.zip", {"icml_face_data.csv": csv})
    set_up(data, progress=False)
    check_usage_dataset(data)


def test_tar_inside_the_zip_of_the_whole_competition(tmp_path):
    csv = content(write_fer2013_csv, tmp_path, IMAGES, USAGES)
    tar = tar_file(tmp_path / "fer2013.tar.gz", {"fer2013/fer2013.csv": csv}).read_bytes()
    data = tmp_path / "data"
    data.mkdir()
    zip_file(
        data / "challenges.zip",
        {"example_submission.csv": b"id,emotion\n1,0\n", "fer2013.tar.gz": tar},
    )
    set_up(data, progress=False)
    check_usage_dataset(data)


def test_quotes_byte_order_mark_and_crlf(tmp_path):
    text = csv_text(rows_of(IMAGES, None, USAGES), ("emotion", "pixels", "Usage"), quote=True)
    (tmp_path / "fer2013.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    set_up(tmp_path, progress=False)
    check_usage_dataset(tmp_path)


def test_source_may_be_a_file_elsewhere_and_is_not_changed(tmp_path):
    source = write_icml_csv(tmp_path / "whatever.csv", IMAGES, USAGES)
    before = source.read_bytes()
    set_up(tmp_path / "new" / "data", source=source, progress=False)
    check_usage_dataset(tmp_path / "new" / "data")
    assert source.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "whatever.csv"]


def test_source_may_be_an_archive(tmp_path):
    csv = content(write_icml_csv, tmp_path, IMAGES, USAGES)
    archive = zip_file(tmp_path / "archive.zip", {"deep/er/fer2013.csv": csv})
    set_up(tmp_path / "data", source=archive, progress=False)
    check_usage_dataset(tmp_path / "data")


def test_train_and_test(tmp_path):
    write_train_csv(tmp_path / "train.csv", IMAGES[:32])
    write_test_csv(tmp_path / "test.csv", IMAGES[32:])
    summary = set_up(tmp_path, progress=False)
    table = read_manifest(tmp_path).table
    assert table["split"].value_counts().to_dict() == {"train": 28, "val": 4, "unlabelled": 10}
    unlabelled = table[table["split"] == "unlabelled"]
    assert unlabelled["label"].isna().all()
    assert set(unlabelled["source"]) == {"test.csv"}
    assert unlabelled["source_row"].tolist() == list(range(10))
    assert summary["splits"]["unlabelled"]["classes"] is None
    assert "random eighth" in format_summary(summary)


def test_train_and_test_as_zip(tmp_path):
    train = content(write_train_csv, tmp_path, IMAGES[:32])
    test = content(write_test_csv, tmp_path, IMAGES[32:])
    data = tmp_path / "data"
    data.mkdir()
    zip_file(data / "train.csv.zip", {"train.csv": train})
    zip_file(data / "test.csv.zip", {"test.csv": test})
    assert set_up(data, progress=False)["taken"] == [
        "train.csv.zip: train.csv",
        "test.csv.zip: test.csv",
    ]
    assert len(read_manifest(data).split("unlabelled")) == 10


def test_whole_competition_download_takes_the_file_with_usage_and_says_so(tmp_path):
    write_icml_csv(tmp_path / "icml_face_data.csv", IMAGES, USAGES)
    write_train_csv(tmp_path / "train.csv", IMAGES[:28])
    write_test_csv(tmp_path / "test.csv", IMAGES[28:])
    (tmp_path / "example_submission.csv").write_text("id,emotion\n1,0\n")
    tar_file(tmp_path / "fer2013.tar.gz", {"fer2013/fer2013.csv": b"not even looked at"})
    summary = set_up(tmp_path, progress=False)
    check_usage_dataset(tmp_path)
    assert summary["taken"] == ["icml_face_data.csv"]
    assert set(summary["ignored"]) == {
        "train.csv",
        "test.csv",
        "example_submission.csv",
        "fer2013.tar.gz",
    }
    text = format_summary(summary)
    assert text.startswith("Read icml_face_data.csv.")
    assert "example_submission.csv" in text


def test_usage_without_publictest_draws_val_from_train(tmp_path):
    write_icml_csv(tmp_path / "icml_face_data.csv", IMAGES, usages_for(32, 0, 10))
    summary = set_up(tmp_path, progress=False)
    assert summary["val_from"] == "train"
    assert {name: split["rows"] for name, split in summary["splits"].items()} == {
        "train": 28,
        "val": 4,
        "test": 10,
    }


def test_class_folders_told_apart_by_file_names(tmp_path):
    names = [f"train/{CLASS_NAMES[i % 7]}/Training_{i}.png" for i in range(28)]
    names += [f"test/{CLASS_NAMES[i % 7]}/PublicTest_{i}.png" for i in range(7)]
    names += [f"test/{CLASS_NAMES[i % 7]}/PrivateTest_{i}.png" for i in range(7)]
    write_class_folders(tmp_path / "archive", IMAGES, names)
    summary = set_up(tmp_path / "data", source=tmp_path / "archive", progress=False)
    assert {name: split["rows"] for name, split in summary["splits"].items()} == {
        "train": 28,
        "val": 7,
        "test": 7,
    }
    assert summary["warnings"] == []
    table = read_manifest(tmp_path / "data").table
    by_source = dict(
        zip(table["source"], zip(table["path"], table["label"], strict=True), strict=True)
    )
    assert set(by_source) == set(names)
    for index, name in enumerate(names):
        path, label = by_source[name]
        assert CLASS_NAMES[label] == name.split("/")[1]
        np.testing.assert_array_equal(
            load_images([tmp_path / "data" / path])[0, ..., 0], IMAGES[index]
        )


def test_class_folders_that_merge_the_tests_warn(tmp_path):
    names = [f"train/{CLASS_NAMES[i % 7]}/{i}.png" for i in range(32)]
    names += [f"test/{CLASS_NAMES[i % 7]}/{i}.png" for i in range(10)]
    write_class_folders(tmp_path / "images", IMAGES, names)
    summary = set_up(tmp_path, progress=False)
    assert {name: split["rows"] for name, split in summary["splits"].items()} == {
        "train": 28,
        "val": 4,
        "test": 10,
    }
    assert (
        "10 images of the test folder are not marked as PublicTest or PrivateTest"
        in summary["warnings"][0]
    )
    assert "Warning: 10 images" in format_summary(summary)


def test_validation_folder_is_val_and_other_class_names_are_known(tmp_path):
    names = [f"Training/{('Anger', 'happiness', 'Sadness')[i % 3]}/{i}.jpg" for i in range(30)]
    names += [f"validation/{i % 7}/{i}.jpg" for i in range(12)]
    write_class_folders(tmp_path, IMAGES, names)
    summary = set_up(tmp_path, progress=False)
    assert summary["splits"]["train"]["classes"] == {
        "angry": 10, "disgust": 0, "fear": 0, "happy": 10, "sad": 10, "surprise": 0, "neutral": 0,
    }  # fmt: skip
    assert summary["splits"]["val"]["rows"] == 12


def test_unknown_class_folder(tmp_path):
    write_class_folders(tmp_path, IMAGES[:2], ["train/angry/1.png", "train/bored/2.png"])
    with pytest.raises(DataError, match=r"unknown class folder 'bored', expected angry, disgust"):
        set_up(tmp_path, progress=False)


def test_class_folder_with_an_image_of_another_size(tmp_path):
    write_class_folders(tmp_path, IMAGES[:3], [f"train/happy/{i}.png" for i in range(3)])
    write_class_folders(tmp_path, [IMAGES[0][:30]], ["train/happy/9.png"])
    with pytest.raises(
        DataError, match=r"train/happy/9.png.*an image of 48x30, expected 48x48.*--skip-bad-rows"
    ):
        set_up(tmp_path, progress=False)
