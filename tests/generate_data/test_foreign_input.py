"""Foreign files of any content, and names of any bytes: one line each, nothing passed in silence."""

import json
import os
import shutil
import zipfile

import cv2
import numpy as np
import pytest

from generate_data.errors import DataError, OneLineError, escaped, foreign_format
from generate_data.folder_contents import PassedOver, contents_of
from generate_data.image_types import MAX_BYTES
from generate_data.images.png import read_image
from generate_data.manifest import read_manifest, source_change
from generate_data.readers.affectnet.annotations import _read_label
from generate_data.setup_fer2013 import set_up
from generate_data.setup_image_folders import format_image_summary
from tests.support.image_datasets import assert_refused, rafdb_list, set_up_and_read, write_tree
from tests.support.kaggle_files import (
    csv_text,
    pixel_text,
    rows_of,
    smooth_images,
    write_class_folders,
)

TREE = [f"{name}/{index}.png" for name in ("happy", "sad") for index in range(8)]


# ---- messages ----


def test_control_characters_and_undecodable_bytes_are_shown_escaped():
    error = OneLineError("a\nb\x1b[31m.jpg", "bad\r", "fix \udcff\u202e it")
    assert str(error) == r"a\nb\x1b[31m.jpg: bad\r; fix \udcff\u202e it."
    assert escaped("Grüße 日本 \u202f.jpg") == "Grüße 日本 \u202f.jpg"


def test_a_name_of_many_characters_is_cut():
    line = str(OneLineError("data:image/png;base64," + "A" * 5000, "no such file"))
    assert len(line) < 350
    assert line.endswith("A...: no such file.")


@pytest.mark.parametrize("error", [RecursionError("deep"), MemoryError(), OSError(5, "I/O error")])
def test_any_exception_in_a_foreign_format_is_one_line(error):
    with (
        pytest.raises(DataError, match=r"list.txt: not a list \(.+\); get it"),
        foreign_format(DataError, "list.txt", "not a list", "get it"),
    ):
        raise error


# ---- what is passed over ----


def test_what_set_up_does_not_read_is_reported(source, data, faces):
    write_tree(source, [*TREE, "fear/1.png", ".hidden/1.png"], faces)
    for name in ("1.HEIC", "2.heic", "notes.txt", "._3.png"):
        (source / "happy" / name).write_bytes(b"x")
    (source / "surprise").mkdir()
    (source / "surprise/1.gif").write_bytes(b"GIF89a")
    (source / "joy").symlink_to(source / "happy")
    summary, manifest, _ = set_up_and_read(data, "folders", source)
    text = format_image_summary(summary)
    assert "surprise" not in manifest.class_names
    for expected in (
        "2 files ending in .heic are not read (convert them to .jpg, for example with pip install "
        "pillow-heif), the first: ",
        "1 files ending in .gif are not read (convert them to .png)",
        "1 files that are not images are not read",
        "2 hidden files or folders are not read",
        "1 folders have no image that is read, the first: " + str(source / "surprise"),
        "1 linked folders are not read again",
    ):
        assert expected in text


def test_all_images_of_an_unread_type_is_an_error_that_says_so(source, data):
    for name in ("happy", "sad"):
        (source / name).mkdir(parents=True)
        (source / name / "1.heic").write_bytes(b"x")
    assert_refused(r"2 files ending in .heic are not read", data, "folders", source)


def test_jfif_is_read_in_every_layout(source, data, faces, tmp_path):
    for path in write_tree(source, [path.replace("png", "jpg") for path in TREE], faces).rglob("*"):
        if path.is_file():
            path.rename(path.with_suffix(".jfif"))
    assert set_up_and_read(data, "folders", source)[0]["rows"] == 16
    names = [f"train/happy/{index}.jpg" for index in range(8)]
    write_class_folders(tmp_path / "fer", smooth_images(8), names)
    for name in names:
        (tmp_path / "fer" / name).rename(tmp_path / "fer" / name.replace("jpg", "jfif"))
    assert set_up(tmp_path / "fer", progress=False)["rows"] == 8


def test_fer2013_as_class_folders_skips_hidden_folders_and_reports_the_rest(tmp_path):
    images = smooth_images(16)
    write_class_folders(tmp_path, images[:8], [f"train/happy/{index}.png" for index in range(8)])
    write_class_folders(tmp_path, images[8:], [f"test/sad/more/{index}.png" for index in range(8)])
    (tmp_path / "train/.ipynb_checkpoints").mkdir()
    (tmp_path / "extra").mkdir()
    warnings = " ".join(set_up(tmp_path, progress=False)["warnings"])
    assert "1 hidden files or folders are not read" in warnings
    assert "1 folders inside a class folder are not read" in warnings
    assert "1 folders are not read (their name is none of train, training, val" in warnings
    assert "no train image of angry, disgust, fear, sad, surprise, neutral" in warnings


def test_two_spellings_of_a_class_folder_are_both_read(source, data, faces):
    names = [f"train/{name}/{index}.jpg" for name in ("1", "surprise") for index in range(4)]
    names += [f"train/Surprise/{index}.jpg" for index in range(4)]
    write_tree(source, names, faces)
    _, _, found = set_up_and_read(data, "rafdb", source)
    assert len(found) == 12


def test_a_class_without_train_images_is_named(source, data, faces):
    write_tree(source, [f"train/happy/{index}.png" for index in range(8)], faces)
    write_tree(
        source, [f"test/{name}/{index}.png" for name in ("happy", "sad") for index in (1, 2)], faces
    )
    summary, _, _ = set_up_and_read(data, "folders", source)
    assert "no train image of sad: a model cannot learn it." in summary["warnings"]


def test_images_that_are_added_later_are_reported(source, data, faces):
    write_tree(source, TREE, faces)
    set_up_and_read(data, "folders", source)
    assert source_change(data) == ""
    write_tree(source, ["happy/new.png"], faces)
    assert source_change(data).startswith(f"{source}: 17 images, 16 at set-up")
    (source / "sad/1.png").unlink()
    assert "16 images, 16 at set-up, and not all of the same names" in source_change(data)


# ---- contents ----


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(0),
        np.zeros((2, 3)),
        np.zeros((), [("a", int), ("b", float)]),
        np.array("nan"),
        np.array("\u00b2"),
        np.array("9" * 5000),
        np.array(b"\xff"),
        np.array(1j),
        np.array(True),
        np.array(np.datetime64("NaT")),
        np.array({"a": 1}, object),
    ],
    ids=lambda array: str(array.dtype)[:20],
)
def test_annotations_of_any_shape_are_one_line(affectnet, data, array):
    np.save(affectnet / "train_set/annotations/0_exp.npy", array)
    assert_refused("1 annotations that are not a label", data, "affectnet", affectnet)


def test_damaged_annotations_are_a_text(tmp_path):
    path = tmp_path / "1_exp.npy"
    np.save(path, np.array("3"))
    intact = path.read_bytes()
    assert _read_label(path) == "3"
    random = np.random.default_rng(0)
    for _ in range(300):
        changed = bytearray(intact)
        changed[random.integers(len(intact))] ^= 1 << int(random.integers(8))
        path.write_bytes(changed[: random.integers(1, len(intact) + 1)])
        assert isinstance(_read_label(path), str)


@pytest.mark.parametrize("label", ["9" * 5000, "\u00b2", "\u0663", "0", "-1", "8"])
def test_labels_in_a_list_that_are_no_class_are_one_line(rafdb, data, label):
    path = rafdb_list(rafdb)
    path.write_text(path.read_text().replace("00000.jpg 1", f"00000.jpg {label}"), encoding="utf-8")
    assert_refused(r"1 bad lines in list_patition_label.txt", data, "rafdb", rafdb)


def test_pixels_of_many_digits_are_one_line(tmp_path):
    rows = rows_of(smooth_images(3))
    for text in ("0" * 5000 + "1", "0" * 9 + "1000", "9" * 5000):
        rows[1]["pixels"] = text + " " + pixel_text(smooth_images(1)[0])
        (tmp_path / "train.csv").write_text(csv_text(rows, ("emotion", "pixels")))
        with pytest.raises(DataError, match=r"row 1 .*is over 255"):
            set_up(tmp_path, progress=False)


def test_a_line_without_end_is_one_line(tmp_path):
    (tmp_path / "train.csv").write_bytes(b"emotion,pixels\n" + b"0" * 3_000_000)
    with pytest.raises(DataError, match=r"train.csv: a line of more than 1,000,000 bytes"):
        set_up(tmp_path, progress=False)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_damaged_archives_of_every_compression_are_one_line(tmp_path, method):
    text = csv_text(rows_of(smooth_images(4)), ("emotion", "pixels")).encode()
    with zipfile.ZipFile(tmp_path / "fer2013.zip", "w", method) as archive:
        archive.writestr("train.csv", text)
    intact = (tmp_path / "fer2013.zip").read_bytes()
    random = np.random.default_rng(0)
    for position in random.integers(0, len(intact), 40).tolist():
        changed = bytearray(intact)
        changed[position] ^= 0xFF
        (tmp_path / "fer2013.zip").write_bytes(changed)
        try:
            set_up(tmp_path / "data", tmp_path / "fer2013.zip", progress=False)
        except DataError:
            continue
        shutil.rmtree(tmp_path / "data")


@pytest.mark.parametrize(
    "names", [[1, 2], ["happy", "happy"], ["a\nb", "c"], "happy", [], [""], {}]
)
def test_class_names_that_are_not_names_are_one_line(source, data, faces, names):
    write_tree(source, TREE, faces)
    set_up_and_read(data, "folders", source)
    path = data / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"class_names": names}))
    with pytest.raises(
        DataError, match=r"dataset.json: not a description that set-up wrote \(class"
    ):
        read_manifest(data)


def test_a_deeply_nested_description_is_one_line(source, data, faces):
    write_tree(source, TREE, faces)
    set_up_and_read(data, "folders", source)
    (data / "dataset.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"dataset.json: not a description that set-up wrote"):
        read_manifest(data)


# ---- names ----


@pytest.mark.parametrize("name", [b"a\nb.png", b"a\rb.png", b"\xff.png", b"\x1b[31m.png"])
def test_names_that_the_manifest_cannot_store_are_one_line(source, data, faces, name):
    write_tree(source, TREE, faces)
    os.rename(os.fsencode(source / "happy/1.png"), os.fsencode(source / "happy") + b"/" + name)
    text = assert_refused("1 images whose name is not UTF-8 or contains", data, "folders", source)
    assert escaped(text) == text
    summary, manifest, _ = set_up_and_read(data, "folders", source, skip_bad_rows=True)
    assert summary["rows"] == len(manifest.table) == 15


@pytest.mark.parametrize("name", [b"a\rb", b"\xff"])
def test_a_folder_with_such_a_name_is_refused(tmp_path, data, faces, name):
    write_tree(tmp_path / "faces", TREE, faces)
    renamed = tmp_path / os.fsdecode(name)
    (tmp_path / "faces").rename(renamed)
    assert_refused("the name of the folder is not UTF-8 or contains", data, "folders", renamed)


def test_a_csv_with_such_a_name_is_refused(tmp_path):
    path = tmp_path / "a\rb.csv"
    path.write_text(csv_text(rows_of(smooth_images(8)), ("emotion", "pixels")))
    with pytest.raises(DataError, match=r"a\\rb.csv: its name is not UTF-8 or contains control"):
        set_up(tmp_path / "data", path, progress=False)


# ---- limits of one image ----


def png_header(width, height):
    image = cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes()
    return image[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + image[24:]


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr("generate_data.images.png.cv2.imdecode", None)  # not called
    (tmp_path / "1.png").write_bytes(png_header(20_000, 20_000))
    bitmap = cv2.imencode(".bmp", np.zeros((4, 4), np.uint8))[1].tobytes()
    size = (11_000).to_bytes(4, "little")
    (tmp_path / "1.bmp").write_bytes(bitmap[:18] + size + size + bitmap[26:])
    for name in ("1.png", "1.bmp"):
        with pytest.raises(DataError, match=r"more than 120 million pixels; reduce its size"):
            read_image(tmp_path / name)


def test_pipes_devices_and_huge_files_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    for name in ("pipe.jpg", "device.jpg"):
        with pytest.raises(
            DataError, match=rf"{name}: cannot read the image \(not a regular file\)"
        ):
            read_image(tmp_path / name)
    with open(tmp_path / "huge.jpg", "wb") as file:
        file.truncate(MAX_BYTES + 1)  # a sparse file
    with pytest.raises(DataError, match=r"huge.jpg: cannot read the image \(larger than 500 MB\)"):
        read_image(tmp_path / "huge.jpg")


def test_postscript_starts_no_program(tmp_path, monkeypatch):
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path = tmp_path / "1.jpg"
    path.write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(DataError, match="not an image that can be read"):
        read_image(path)
    assert not (tmp_path / "started").exists()


def test_every_type_of_image_is_read(tmp_path):
    image = smooth_images(1)[0]
    for ending in ("png", "jpg", "bmp", "webp", "tif"):
        cv2.imwrite(str(tmp_path / f"1.{ending}"), image)
        assert read_image(tmp_path / f"1.{ending}", gray=True).shape == (48, 48)
    assert len(contents_of(tmp_path, PassedOver()).images) == 5
