"""Set-up of image datasets: files, columns, bad images, bad arguments and interruptions."""

import json

import cv2
import pytest

import generate_data
from generate_data import setup_image_folders
from generate_data.errors import DataError
from generate_data.images.lazy_array import ImageFiles
from generate_data.manifest import COLUMNS, read_manifest
from generate_data.setup_fer2013 import set_up
from generate_data.setup_image_folders import set_up_image_dataset
from generate_data.summary import format_image_summary
from tests.support.image_datasets import assert_refused, file_states, set_up_and_read, write_tree
from tests.support.kaggle_files import smooth_images, usages_for, write_icml_csv


@pytest.mark.parametrize(
    ("dataset", "match"),
    [
        (
            "affectnet",
            r"not AffectNet: neither train_set/images with .* It holds the folders pictures;",
        ),
        ("rafdb", r"not RAF-DB: neither list_patition_label.txt .* nor class folders"),
    ],
)
def test_folder_of_another_shape(source, data, faces, dataset, match):
    write_tree(source, ["pictures/1.jpg"], faces)
    assert "\n" not in assert_refused(match, data, dataset, source)


def test_files_and_columns(rafdb, data):
    summary, manifest, _ = set_up_and_read(data, "rafdb", rafdb)
    assert sorted(path.name for path in data.iterdir()) == ["dataset.json", "manifest.csv"]
    assert (data / "manifest.csv").read_text().splitlines()[0] == ",".join(
        [*COLUMNS, "source_label"]
    )
    description = json.loads((data / "dataset.json").read_text())
    expected = {
        "dataset": "rafdb",
        "source": rafdb.as_posix(),
        "in_place": True,
        "image_size": [100, 100],
        "channels": 3,
        "seed": 0,
    }
    assert {key: description[key] for key in expected} == expected
    assert manifest.table["source_row"].tolist() == list(range(35))
    assert manifest.table["path"].is_monotonic_increasing
    text = format_image_summary(summary)
    for part in (
        "Read RAF-DB by list_patition_label.txt",
        "of 100x100 pixels stay where they are",
        "Wrote",
        "surprise",
    ):
        assert part in text


def test_sizes_that_differ_and_gray_images(source, data, faces):
    faces.write(source / "happy/1.png", color=False)
    gray = next(faces.images)
    faces.write(source / "sad/2.png", cv2.merge([gray] * 3), size=(60, 70))
    description = set_up_and_read(data, "folders", source)[1].description
    assert (description["image_size"], description["channels"]) == (None, 1)
    faces.write(source / "sad/3.png")
    assert set_up_and_read(data, "folders", source)[1].description["channels"] == 3


@pytest.mark.parametrize("dataset", ["affectnet", "rafdb"])
def test_again_gives_the_same_bytes(dataset, data, tmp_path, request):
    source = request.getfixturevalue(dataset)
    for folder in (data, data, tmp_path / "other"):
        set_up_and_read(folder, dataset, source)
    contents = [
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (data, tmp_path / "other")
    ]
    assert contents[0] == contents[1]
    assert len(contents[0]) == 2


def test_output_folder_that_cannot_be_made(rafdb, data):
    data.write_text("")
    with pytest.raises(DataError, match=r"data: not a folder; give a folder after -d"):
        set_up_image_dataset(data, "rafdb", rafdb, progress=False)
    with pytest.raises(DataError, match=r"not a folder; give a folder after -d"):
        set_up_image_dataset(data / "below", "rafdb", rafdb, progress=False)


def test_unreadable_images(rafdb, data):
    (rafdb / "Image/aligned/train_00004_aligned.jpg").write_bytes(b"")
    one = assert_refused(
        r"train_00004_aligned.jpg: not an image that can be read \(0 bytes\); "
        r"fix the row, or drop it",
        data,
        "rafdb",
        rafdb,
    )
    assert "\n" not in one
    (rafdb / "Image/aligned/test_00032_aligned.jpg").write_bytes(b"no image")
    many = assert_refused(
        r"2 bad rows; fix them, or drop them with --skip-bad-rows", data, "rafdb", rafdb
    )
    assert len(many.splitlines()) == 3
    summary, manifest, found = set_up_and_read(data, "rafdb", rafdb, skip_bad_rows=True)
    assert len(found) == 33
    assert summary["skipped_rows"] == 2
    assert manifest.table["source_row"].max() == 34  # the numbers of the others stay
    assert "Dropped 2 bad images, among them:\n  /" in format_image_summary(summary)


def test_all_images_unreadable(source, data, faces):
    for name in ("happy/1.png", "sad/1.png"):
        faces.write(source / name).write_bytes(b"x")
    assert_refused(
        r"all 2 rows are bad, the first: .*happy/1.png", data, "folders", source, skip_bad_rows=True
    )


@pytest.mark.parametrize(
    ("dataset", "folders"),
    [
        ("affectnet", "train/0 val/1"),
        ("rafdb", "train/1 test/1"),
        ("folders", "happy sad"),
        ("affectnet", "train_set/images train_set/annotations"),
    ],
)
def test_no_image_at_all(source, data, dataset, folders):
    for folder in folders.split():
        (source / folder).mkdir(parents=True)
    assert_refused(
        r"source: no image to use in it \(.*\), (only 2 folders have no image that is read, )?expected files ending in .jpg, .jpeg",
        data,
        dataset,
        source,
    )


def test_only_labels_that_are_left_out(source, data, faces):
    write_tree(source, ["train/8/1.jpg", "val/10/1.jpg"], faces)
    assert_refused(r"no image to use in it .*, only 1 none, 1 no face", data, "affectnet", source)


@pytest.mark.parametrize("dataset", ["affectnet", "rafdb", "folders"])
def test_source_missing_or_a_file(source, data, dataset):
    assert_refused(
        r"source: no such folder; give the folder that contains the images", data, dataset, source
    )
    source.write_text("")
    assert_refused(r"source: a file, not a folder", data, dataset, source)


@pytest.mark.parametrize("subfolder", ["", "new", "train/new"])
def test_never_writes_into_the_source(source, faces, subfolder):
    write_tree(source, ["train/happy/1.png", "train/sad/2.png"], faces)
    before = file_states(source)
    assert_refused(
        r"is inside the source folder .* choose a folder outside it, such as -d data/folders",
        source / subfolder,
        "folders",
        source,
    )
    assert file_states(source) == before
    assert not (source / "new").exists()


def test_source_within_the_folder_is_allowed(tmp_path, faces):
    write_tree(tmp_path / "images", ["happy/1.png", "sad/2.png"], faces)
    assert len(set_up_and_read(tmp_path, "folders", tmp_path / "images")[2]) == 2


@pytest.mark.parametrize(
    ("dataset", "classes", "match"),
    [
        ("fer", None, r"unknown dataset 'fer'; choose one of affectnet, rafdb, folders"),
        ("affectnet", 6, r"6 classes are not available for affectnet, expected 7 or 8"),
        ("rafdb", 8, r"8 classes are not available for rafdb, expected 7"),
        (
            "folders",
            7,
            r"7 classes are not available for folders, expected none: its folders decide",
        ),
    ],
)
def test_unknown_dataset_or_classes(source, data, dataset, classes, match):
    source.mkdir()
    assert_refused(match, data, dataset, source, classes=classes)


def test_another_dataset_is_not_replaced(rafdb, data, tmp_path):
    data.mkdir()
    write_icml_csv(data / "icml_face_data.csv", smooth_images(20), usages_for(14, 3, 3))
    set_up(data, progress=False)
    before = file_states(data)
    with pytest.raises(
        DataError, match=r"holds a dataset of another kind, fer2013, .* -d data/rafdb"
    ):
        set_up_image_dataset(data, "rafdb", rafdb, progress=False)
    assert file_states(data) == before
    set_up_and_read(tmp_path / "mine", "rafdb", rafdb)
    with pytest.raises(
        DataError,
        match=r"holds a dataset of another kind, rafdb, that set-up of fer2013 would replace",
    ):
        set_up(tmp_path / "mine", source=data, progress=False)
    assert len(read_manifest(tmp_path / "mine").table) == 35


def test_killed_before_the_end_leaves_the_earlier_dataset(rafdb, data, monkeypatch):
    def fail(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(setup_image_folders, "write_manifest", fail)
        with pytest.raises(KeyboardInterrupt):
            set_up_and_read(data, "rafdb", rafdb)
        assert list(data.iterdir()) == []
    set_up_and_read(data, "rafdb", rafdb)
    before = file_states(data)
    (data / ".setup-1").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(setup_image_folders, "scan_images", fail)
        with pytest.raises(KeyboardInterrupt):
            set_up_and_read(data, "rafdb", rafdb, seed=1)
    assert file_states(data) == before
    set_up_and_read(data, "rafdb", rafdb)
    assert sorted(path.name for path in data.iterdir()) == ["dataset.json", "manifest.csv"]


def test_images_gone_since(rafdb, data):
    set_up_and_read(data, "rafdb", rafdb)
    (rafdb / "Image/aligned/train_00003_aligned.jpg").unlink()
    with pytest.raises(
        DataError,
        match=r"1 of 35 images are missing, the first: /.*00003_aligned.jpg; put them back, or run",
    ):
        read_manifest(data)


def test_names_with_commas_and_letters_of_all_kinds(source, data, faces):
    write_tree(source, ['happy/a,"b".png', "sad/été 1. x.png"], faces)
    (source / "sad/2. y.png").write_bytes(b"")
    summary, _, found = set_up_and_read(data, "folders", source, skip_bad_rows=True)
    assert set(found) == {'happy/a,"b".png', "sad/été 1. x.png"}
    assert summary["skipped"][0].endswith("sad/2. y.png: not an image that can be read (0 bytes)")


def test_names_are_exported():
    assert generate_data.set_up_image_dataset is set_up_image_dataset
    assert generate_data.format_image_summary is format_image_summary
    assert generate_data.ImageFiles is ImageFiles
