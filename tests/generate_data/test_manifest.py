"""Reading a dataset back: what it gives, and what it says when something is wrong."""

import json
import shutil

import numpy as np
import pytest

from generate_data.errors import DataError
from generate_data.images.png import encode_png, load_images
from generate_data.manifest import read_manifest
from generate_data.setup_fer2013 import set_up
from tests.support.kaggle_files import CLASS_NAMES, smooth_images, usages_for, write_icml_csv


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    write_icml_csv(folder / "icml_face_data.csv", smooth_images(20), usages_for(14, 3, 3))
    set_up(folder, progress=False)
    return folder


@pytest.fixture
def data(made, tmp_path):
    """A fresh copy of a dataset."""
    return shutil.copytree(made, tmp_path / "data")


def test_contents(made):
    manifest = read_manifest(made)
    assert manifest.folder == made
    assert manifest.class_names == CLASS_NAMES
    assert manifest.missing_images() == []
    assert manifest.description["image_size"] == [48, 48]
    assert manifest.description["channels"] == 1
    val = manifest.split("val")
    assert val.index.tolist() == [0, 1, 2]
    assert val["label"].tolist() == [0, 1, 2]
    assert val["source_row"].tolist() == [14, 15, 16]
    assert val["copy_kind"].tolist() == ["", "", ""]
    assert val["source"].tolist() == ["icml_face_data.csv"] * 3


def test_moved_dataset_still_works(data, tmp_path):
    moved = data.rename(tmp_path / "elsewhere")
    assert read_manifest(str(moved)).missing_images() == []


def test_class_names_come_from_the_dataset(data):
    path = data / "dataset.json"
    names = ["a", "b", "c", "d", "e", "f", "g"]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"class_names": names}))
    assert read_manifest(data).class_names == tuple(names)


def refuses(folder, match):
    with pytest.raises(DataError, match=match):
        read_manifest(folder)


def test_no_folder(tmp_path):
    refuses(
        tmp_path / "nowhere",
        r"nowhere: no such folder; run set-up first: python main.py setup -d",
    )


def test_no_dataset(tmp_path):
    refuses(tmp_path, r"no dataset in it \(no manifest.csv\); run set-up")


def test_half_finished(tmp_path):
    (tmp_path / ".setup-123").mkdir()
    refuses(tmp_path, r"an unfinished set-up")


def test_manifest_lost(data):
    (data / "manifest.csv").unlink()
    refuses(data, r"an unfinished set-up")


def test_wrong_header(data):
    path = data / "manifest.csv"
    path.write_text(path.read_text().replace("copy_of", "copied", 1))
    refuses(data, r"manifest.csv: wrong header, copy_of missing, expected path,label,split")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01" * 50, b'path,label\n"torn'])
def test_not_a_manifest(data, content):
    (data / "manifest.csv").write_bytes(content)
    refuses(data, r"manifest.csv: (cannot be read as a manifest|wrong header)")


def test_no_rows(data):
    path = data / "manifest.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    refuses(data, r"manifest.csv: no rows")


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (",3,train,", ",7,train,", r"line 5: label 7, expected 0 to 6"),
        (",3,train,", ",,train,", r"line 5: label <NA>, expected 0 to 6"),
        (",3,train,", ",x,train,", r"column label is not all whole numbers"),
        (",3,train,", ",3,trian,", r"unknown split 'trian', expected train, val, test, unlabelled"),
    ],
)
def test_wrong_values(data, old, new, match):
    path = data / "manifest.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    refuses(data, match)


@pytest.mark.parametrize("content", [None, "", "{}", '{"class_names": []}', "[1]"])
def test_description_lost_or_broken(data, content):
    path = data / "dataset.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    refuses(
        data, r"dataset.json: (missing, so the names of the classes are unknown|not a description)"
    )


def test_images_gone(data):
    manifest = read_manifest(data)
    for path in manifest.table["path"][:3]:
        (data / path).unlink()
    assert manifest.missing_images() == manifest.table["path"][:3].tolist()
    refuses(
        data,
        r"manifest.csv: 3 of 20 images are missing, "
        r"the first: .*icml_face_data-00000.png; run set-up again",
    )


def test_split_without_rows(data):
    with pytest.raises(
        DataError, match=r"no rows in split 'unlabelled', this dataset has train, val, test"
    ):
        read_manifest(data).split("unlabelled")


def test_load_images_keeps_order_and_colour(tmp_path):
    import cv2

    gray = smooth_images(700)
    paths = [tmp_path / f"{index}.png" for index in range(700)]
    for path, image in zip(paths, gray, strict=True):
        path.write_bytes(encode_png(image))
    loaded = load_images(paths[::-1], workers=3)
    assert loaded.dtype == np.uint8
    np.testing.assert_array_equal(loaded[..., 0], gray[::-1])
    red = np.zeros((5, 4, 3), np.uint8)
    red[..., 2] = 200  # OpenCV writes blue, green, red
    cv2.imwrite(str(tmp_path / "red.png"), red)
    assert load_images([str(tmp_path / "red.png")])[0, 0, 0].tolist() == [200, 0, 0]
    assert load_images([]).shape == (0, 0, 0, 1)


@pytest.mark.parametrize("shape", [(1, 1), (48, 48), (100, 224), (300, 260)])
def test_png_of_any_size(shape):
    import io

    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with Image.open(io.BytesIO(encode_png(image))) as opened:
        opened.verify()  # the checksums
    with Image.open(io.BytesIO(encode_png(image))) as opened:
        np.testing.assert_array_equal(np.asarray(opened), image)


def test_load_images_names_the_file(tmp_path):
    images = smooth_images(3)
    paths = [tmp_path / f"{index}.png" for index in range(3)]
    for path, image in zip(paths, images, strict=True):
        path.write_bytes(encode_png(image))
    paths[1].write_bytes(encode_png(images[1][:40]))
    with pytest.raises(
        DataError, match=r"1.png: an image of 48x40 \(gray\), expected 48x48 \(gray\) like .*0.png"
    ):
        load_images(paths)
    paths[1].write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"1.png: not an image that can be read \(12 bytes\)"):
        load_images(paths)
    paths[1].unlink()
    with pytest.raises(DataError, match=r"1.png: the image is missing"):
        load_images(paths)
