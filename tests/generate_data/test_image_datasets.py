"""Datasets of images that stay where they are.

AffectNet, RAF-DB, trees of class folders, and reading them.
"""

import hashlib
import json
from collections import Counter

import cv2
import numpy as np
import pytest

import generate_data
from generate_data import setup_image_folders as image_datasets
from generate_data.copies import find_in_files as image_copies
from generate_data.errors import DataError
from generate_data.images.lazy_array import ImageFiles
from generate_data.labels import expression_of, sort_classes
from generate_data.manifest import COLUMNS, read_manifest
from generate_data.setup_fer2013 import set_up
from generate_data.setup_image_folders import format_image_summary, set_up_image_dataset
from tests.support.kaggle_files import smooth_images, usages_for, write_icml_csv

OURS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
AFFECTNET = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt"]
RAFDB = ["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"]


class Faces:
    """Different images, one after the other, to write to files."""

    def __init__(self, seed=0):
        self.images = iter(smooth_images(400, seed))

    def write(self, path, image=None, colour=True, size=None):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = next(self.images) if image is None else image
        image = cv2.merge([image, image, 255 - image]) if colour and image.ndim == 2 else image
        assert cv2.imwrite(str(path), image if size is None else cv2.resize(image, size))
        return path


@pytest.fixture
def faces():
    return Faces()


@pytest.fixture
def source(tmp_path):
    return tmp_path / "source"


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def digest(folder):
    """Names, contents and times of change of all files below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in files
    }


def annotate(root, part, number, label, faces):
    """One AffectNet image with its annotation."""
    faces.write(root / part / f"images/{number}.jpg")
    (root / part / "annotations").mkdir(exist_ok=True)
    np.save(root / part / f"annotations/{number}_exp.npy", np.array(label))


@pytest.fixture
def affectnet(source, faces):
    """Shape A: 22 train and 11 val images, labels 0 to 10 in turn, held as text, as a number and in
    an array of one.
    """
    for number in range(33):
        label = number % 11
        held = [str(label), label, [float(label)]][number % 3]
        annotate(source, "train_set" if number < 22 else "val_set", number, held, faces)
    return source


@pytest.fixture
def rafdb(source, faces):
    """28 train and 7 test images, labels 1 to 7 in turn, and the list."""
    lines = []
    for number in range(35):
        name = f"{'train' if number < 28 else 'test'}_{number:05d}"
        faces.write(source / f"Image/aligned/{name}_aligned.jpg", size=(100, 100))
        lines.append(f"{name}.jpg {number % 7 + 1}")
    (source / "EmoLabel").mkdir()
    (source / "EmoLabel/list_patition_label.txt").write_text("\n".join(lines) + "\n")
    return source


def list_file(root):
    return root / "EmoLabel/list_patition_label.txt"


def write_tree(root, names, faces):
    for name in names:
        faces.write(root / name)
    return root


def made(data, dataset, source, **options):
    """Sets up; the summary, the manifest, and {path below the source: (split, class)}."""
    summary = set_up_image_dataset(data, dataset, source, progress=False, **options)
    manifest = read_manifest(data)
    table = manifest.table
    start = len(source.as_posix()) + 1
    rows = zip(table["path"].str[start:], table["split"], table["label"], strict=True)
    return (
        summary,
        manifest,
        {path: (split, manifest.class_names[label]) for path, split, label in rows},
    )


def refuses(match, data, dataset, source, **options):
    with pytest.raises(DataError, match=match) as caught:
        set_up_image_dataset(data, dataset, source, progress=False, **options)
    assert not (data / "manifest.csv").exists()
    return str(caught.value)


# AffectNet


def test_affectnet_with_annotations(affectnet, data):
    before = digest(affectnet)
    summary, manifest, found = made(data, "affectnet", affectnet)
    assert manifest.class_names == (*OURS, "contempt")
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
    assert digest(affectnet) == before


def test_affectnet_with_seven_classes(affectnet, data):
    summary, manifest, found = made(data, "affectnet", affectnet, classes=7)
    assert manifest.class_names == OURS
    assert summary["skipped_labels"]["contempt"] == 3
    assert len(found) == 21
    assert manifest.description["skipped_labels"] == {
        "contempt": 3,
        "no face": 3,
        "none": 3,
        "uncertain": 3,
    }


def test_source_rows_are_the_same_for_seven_and_eight_classes(affectnet, data, tmp_path):
    eight = made(data, "affectnet", affectnet)[1].table
    seven = made(tmp_path / "seven", "affectnet", affectnet, classes=7)[1].table
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
    summary, manifest, found = made(data, "affectnet", source)
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
    summary, _, found = made(data, "affectnet", source)
    assert all(split == path.split("/")[0] for path, (split, _) in found.items())
    assert "its splits were changed" in format_image_summary(summary)


def test_affectnet_annotations_missing(affectnet, data):
    for number in (3, 5):
        (affectnet / f"train_set/annotations/{number}_exp.npy").unlink()
    match = r"2 images without an annotation \(annotations/<id>_exp.npy in train_set\), the first: .*images/3.jpg.*--skip-bad-rows"
    assert "\n" not in refuses(match, data, "affectnet", affectnet)
    summary, _, found = made(data, "affectnet", affectnet, skip_bad_rows=True)
    assert summary["skipped_rows"] == 2
    assert len(found) == 22


def test_affectnet_annotation_folder_missing(affectnet, data):
    (affectnet / "train_set/annotations").rename(affectnet / "elsewhere")
    refuses(
        r"22 images without an annotation \(annotations/<id>_exp.npy in train_set\)",
        data,
        "affectnet",
        affectnet,
    )


def test_affectnet_image_folder_missing(affectnet, data):
    (affectnet / "train_set/images").rename(affectnet / "elsewhere")
    refuses(
        r"train_set/images: cannot read the folder \(No such file", data, "affectnet", affectnet
    )


def test_affectnet_without_its_val(affectnet, data):
    (affectnet / "val_set").rename(affectnet / "elsewhere")
    summary, _, found = made(data, "affectnet", affectnet)
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
    match = rf"1 annotations that are not a label, expected a number from 0 to 10, the first: .*4_exp.npy {received}"
    assert "\n" not in refuses(match, data, "affectnet", affectnet)


def test_affectnet_annotation_without_image(affectnet, data):
    (affectnet / "train_set/images/0.jpg").unlink()
    summary = made(data, "affectnet", affectnet)[0]
    assert "Warning: 1 annotations in" in format_image_summary(summary)


def test_affectnet_unknown_class_folder(source, data, faces):
    write_tree(source, ["train/1/1.jpg", "train/11/2.jpg"], faces)
    refuses(
        r"train/11: not a class of AffectNet, expected a folder 0 to 10", data, "affectnet", source
    )


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
    assert "\n" not in refuses(match, data, dataset, source)


# RAF-DB


def test_rafdb_by_list(rafdb, data):
    before = digest(rafdb)
    summary, manifest, found = made(data, "rafdb", rafdb)
    assert manifest.class_names == OURS
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
    assert digest(rafdb) == before


@pytest.mark.parametrize("place", ["", "basic/EmoLabel"])
def test_rafdb_list_elsewhere_and_spelled_right(rafdb, data, place):
    (rafdb / place).mkdir(parents=True, exist_ok=True)
    list_file(rafdb).rename(rafdb / place / "list_partition_label.txt")
    if place:
        (rafdb / "Image").rename(rafdb / "basic/Image")
    assert len(made(data, "rafdb", rafdb)[2]) == 35


@pytest.mark.parametrize("place", ["", "DATASET/"])
def test_rafdb_class_folders(source, data, faces, place):
    names = [
        f"{place}{split}/{label}/{split}_{label}_aligned.jpg"
        for split in ("train", "test")
        for label in range(1, 8)
    ]
    write_tree(source, names, faces)
    _, manifest, found = made(data, "rafdb", source)
    assert {path: name for path, (_, name) in found.items()} == {
        path: RAFDB[int(path.split("/")[-2]) - 1] for path in names
    }
    assert manifest.class_names == OURS


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
    lines = list_file(rafdb).read_text().splitlines()
    list_file(rafdb).write_text("\n".join([lines[0], line, "", *lines[2:]]))
    message = refuses(
        r"1 bad lines in list_patition_label.txt, the first: " + match, data, "rafdb", rafdb
    )
    assert "\n" not in message
    summary, _, found = made(data, "rafdb", rafdb, skip_bad_rows=True)
    assert len(found) == 34
    assert summary["skipped_rows"] == 1


def test_rafdb_images_of_the_list_missing(rafdb, data):
    (rafdb / "Image/aligned/train_00002_aligned.jpg").unlink()
    (rafdb / "Image/aligned/test_00030_aligned.jpg").unlink()
    match = r"2 images of list_patition_label.txt that do not exist, the first: .*train_00002_aligned.jpg.*--skip-bad-rows"
    assert "\n" not in refuses(match, data, "rafdb", rafdb)


def test_rafdb_without_aligned_images(rafdb, data):
    (rafdb / "Image").rename(rafdb / "image.bak")
    refuses(
        r"list_patition_label.txt exists without aligned images, looked for in Image/aligned, basic/Image/aligned, aligned",
        data,
        "rafdb",
        rafdb,
    )


def test_rafdb_unknown_class_folder(source, data, faces):
    write_tree(source, ["train/1/1.jpg", "train/8/2.jpg"], faces)
    refuses(r"train/8: not a class of RAF-DB, expected a folder 1 to 7", data, "rafdb", source)


# Trees of class folders


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Anger", "angry"),
        ("happiness", "happy"),
        ("JOY", "happy"),
        ("afraid", "fear"),
        ("fearful", "fear"),
        ("disgusted", "disgust"),
        ("sadness", "sad"),
        ("surprised", "surprise"),
        ("neutrality", "neutral"),
        ("aia_anger", "angry"),
        ("01-neutral", "neutral"),
        ("2 Contempt", "contempt"),
        ("angry_people", None),
        ("boredom", None),
        ("3", None),
        ("", None),
    ],
)
def test_names_of_class_folders(folder, name):
    assert expression_of(folder) == name


def test_order_of_classes():
    assert sort_classes({"zeal", "neutral", "contempt", "awe", "angry"}) == (
        "angry",
        "neutral",
        "contempt",
        "awe",
        "zeal",
    )


def test_tree_with_splits(source, data, faces):
    names = [
        f"Training/{name}/{number}.png" for name in ("happy", "Sadness") for number in range(8)
    ]
    write_tree(
        source,
        [*names, "PrivateTest/happy/1.png", "PublicTest/happy/1.png", "more/happy/2.png"],
        faces,
    )
    summary, manifest, found = made(data, "folders", source)
    assert manifest.class_names == ("happy", "sad")
    assert found["PrivateTest/happy/1.png"] == ("test", "happy")
    assert found["PublicTest/happy/1.png"] == ("val", "happy")
    assert found["Training/Sadness/3.png"] == ("train", "sad")
    assert "more/happy/2.png" not in found
    assert summary["val_from"] == "source"
    assert "Warning: 1 images outside the split folders were ignored." in format_image_summary(
        summary
    )


def test_tree_with_splits_below_classes(source, data, faces):
    write_tree(
        source,
        ["happy/train/1.png", "sad/train/1.png", "sad/test/2.png", "happy/test/2.png"],
        faces,
    )
    assert made(data, "folders", source)[2]["sad/test/2.png"] == ("test", "sad")


def test_tree_without_splits_is_drawn(source, data, faces):
    write_tree(
        source,
        [
            f"{who}/{who}_{name}/{n}.png"
            for who in ("aia", "ray")
            for name in ("anger", "joy")
            for n in range(16)
        ],
        faces,
    )
    summary, manifest, found = made(data, "folders", source)
    assert manifest.class_names == ("angry", "happy")
    assert Counter(found.values()) == {
        ("train", "angry"): 24, ("train", "happy"): 24, ("val", "angry"): 4, ("val", "happy"): 4,
        ("test", "angry"): 4, ("test", "happy"): 4,
    }  # fmt: skip
    assert set(manifest.table["source_label"]) == {"aia_anger", "aia_joy", "ray_anger", "ray_joy"}
    assert summary["val_from"] == "all"
    assert "val and test are each a random eighth of all images (seed 0)" in format_image_summary(
        summary
    )
    other = made(data, "folders", source, seed=1)[2]
    assert other != found
    assert {path: name for path, (_, name) in other.items()} == {
        path: name for path, (_, name) in found.items()
    }


def test_unknown_name_is_a_class_of_its_own(source, data, faces):
    names = ["contempt/1.png", "Boredom/s1/2.png", "anger/s1/3.png", "awe/4.png"]
    write_tree(source, names, faces)
    summary, manifest, found = made(data, "folders", source)
    assert manifest.class_names == ("angry", "contempt", "awe", "boredom")
    assert found["Boredom/s1/2.png"][1] == "boredom"
    assert (
        "Warning: awe, boredom are not known expressions, so they are separate classes"
        in format_image_summary(summary)
    )


def test_folder_of_digits_is_ambiguous(source, data, faces):
    write_tree(source, ["train/1/1.png", "train/2/1.png"], faces)
    match = r"the class folder '1' of train/1/1.png is a number.*--dataset affectnet for 0 to 7.*--dataset rafdb for 1 to 7"
    assert "\n" not in refuses(match, data, "folders", source)


def test_digits_below_a_class_are_none(source, data, faces):
    write_tree(source, ["happy/001/1.png", "sad/002/1.png"], faces)
    assert made(data, "folders", source)[1].class_names == ("happy", "sad")


def test_one_class_only(source, data, faces):
    write_tree(source, ["happy/1.png", "joy/2.png"], faces)
    refuses(r"one class only, happy, expected at least two class folders", data, "folders", source)


def test_image_in_no_class_folder(source, data, faces):
    write_tree(source, ["happy/1.png", "sad/2.png", "cover.png"], faces)
    refuses(r"1 images outside any class folder, the first: .*cover.png", data, "folders", source)
    assert len(made(data, "folders", source, skip_bad_rows=True)[2]) == 2


def test_links_in_a_circle_end(source, data, faces):
    write_tree(source, ["happy/1.png", "sad/2.png"], faces)
    (source / "sad/again").symlink_to(source, target_is_directory=True)
    assert len(made(data, "folders", source)[2]) == 2


def test_hidden_files_are_none_of_it(source, data, faces):
    write_tree(source, ["happy/1.png", "sad/2.png"], faces)
    (source / "happy/._1.png").write_bytes(b"macOS")
    (source / "happy/Thumbs.db").write_bytes(b"Windows")
    assert len(made(data, "folders", source)[2]) == 2


# What all share


def test_files_and_columns(rafdb, data):
    summary, manifest, _ = made(data, "rafdb", rafdb)
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
        "Took RAF-DB by list_patition_label.txt",
        "of 100x100 pixels stay where they are",
        "Wrote",
        "surprise",
    ):
        assert part in text


def test_sizes_that_differ_and_gray_images(source, data, faces):
    faces.write(source / "happy/1.png", colour=False)
    gray = next(faces.images)
    faces.write(source / "sad/2.png", cv2.merge([gray] * 3), size=(60, 70))
    description = made(data, "folders", source)[1].description
    assert (description["image_size"], description["channels"]) == (None, 1)
    faces.write(source / "sad/3.png")
    assert made(data, "folders", source)[1].description["channels"] == 3


@pytest.mark.parametrize("dataset", ["affectnet", "rafdb"])
def test_again_gives_the_same_bytes(dataset, data, tmp_path, request):
    source = request.getfixturevalue(dataset)
    for folder in (data, data, tmp_path / "other"):
        made(folder, dataset, source)
    contents = [
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (data, tmp_path / "other")
    ]
    assert contents[0] == contents[1]
    assert len(contents[0]) == 2


def test_copies_are_marked_and_stay_on_one_side(source, data, faces):
    images = [next(faces.images) for _ in range(32)]
    for number, image in enumerate(images):
        brighter = cv2.convertScaleAbs(image, alpha=0.8, beta=20)
        name = "happy" if number % 2 else "sad"
        faces.write(source / f"train/{name}/{number:02d}a.png", image, size=(96, 96))
        faces.write(source / f"train/{name}/{number:02d}b.png", brighter, size=(80, 80))
    faces.write(source / "test/happy/exact.png", images[3], size=(96, 96))
    faces.write(source / "test/happy/near.png", cv2.convertScaleAbs(images[5], alpha=0.9, beta=-5))
    faces.write(source / "test/happy/new.png")
    for seed in range(3):
        _, manifest, found = made(data, "folders", source, seed=seed)
        sides = [
            {found[f"train/{'happy' if n % 2 else 'sad'}/{n:02d}{which}.png"][0] for which in "ab"}
            for n in range(32)
        ]
        assert all(len(side) == 1 for side in sides)
        assert sum(side == {"val"} for side in sides) == 4
        table = manifest.table.set_index(manifest.table["path"].str.rsplit("/", n=1).str[-1])
        assert table.loc["new.png", "copy_kind"] == ""
        if found["train/happy/03a.png"][0] == "train":
            row = table.loc["exact.png"]
            assert row["copy_kind"] == "exact"
            assert row["copy_of"] == table.loc["03a.png", "source_row"]
        if found["train/happy/05a.png"][0] == "train":
            assert table.loc["near.png", "copy_kind"] == "near"
            assert (
                table.loc["near.png", "copy_of"]
                in table.loc[["05a.png", "05b.png"], "source_row"].tolist()
            )


def test_drawn_splits_keep_copies_on_one_side(source, data, faces):
    for number in range(32):
        image = next(faces.images)
        for which in "abc":
            faces.write(
                source / ("happy" if number % 2 else "sad") / f"{number:02d}{which}.png", image
            )
    found = made(data, "folders", source)[2]
    sides = {}
    for path, (split, _) in found.items():
        sides.setdefault(path[-7:-5], set()).add(split)
    assert all(len(side) == 1 for side in sides.values())
    assert {split for side in sides.values() for split in side} == {"train", "val", "test"}


@pytest.mark.parametrize("bad", [False, True])
def test_many_images_are_searched_for_exact_copies_only(source, data, faces, monkeypatch, bad):
    for module in (image_copies, image_datasets):
        monkeypatch.setattr(module, "MOST", 5)
    image = next(faces.images)
    write_tree(source, ["train/happy/1.png", "test/happy/2.png", "test/happy/3.png"], faces)
    faces.write(source / "train/sad/0.png", image)
    faces.write(source / "test/sad/exact.png", image)
    faces.write(source / "test/sad/near.png", cv2.convertScaleAbs(image, alpha=0.9))
    if bad:  # six images are listed, five are good
        (source / "test/happy/3.png").write_bytes(b"")
    summary, manifest, _ = made(data, "folders", source, skip_bad_rows=bad)
    kinds = manifest.table.set_index(manifest.table["path"].str.rsplit("/", n=1).str[-1])[
        "copy_kind"
    ]
    assert kinds["near.png"] == ""
    assert kinds["exact.png"] == "exact"
    assert "Near copies were not looked for: more than 5 images." in format_image_summary(summary)


def test_output_folder_that_cannot_be_made(rafdb, data):
    data.write_text("")
    with pytest.raises(DataError, match=r"data: not a folder; give a folder after -d"):
        set_up_image_dataset(data, "rafdb", rafdb, progress=False)
    with pytest.raises(DataError, match=r"not a folder; give a folder after -d"):
        set_up_image_dataset(data / "below", "rafdb", rafdb, progress=False)


def test_film_frames_are_searched_for_exact_copies_only(source, data, faces, monkeypatch):
    monkeypatch.setattr(image_copies, "SAMPLE", 20)
    monkeypatch.setattr(image_copies, "MOST_PAIRS", 100)
    image = next(faces.images)
    for number in range(40):
        faces.write(
            source / ("happy" if number % 2 else "sad") / f"{number}.png",
            cv2.add(image, number % 20),
        )
    summary = made(data, "folders", source)[0]
    assert "too many images resemble each other" in format_image_summary(summary)
    assert summary["splits"]["val"]["rows"] == 4


def test_one_group_of_copies_leaves_val_short(source, data, faces):
    image = next(faces.images)
    for number in range(40):
        faces.write(
            source / ("happy" if number % 2 else "sad") / f"{number}.png", cv2.add(image, number)
        )
    summary = made(data, "folders", source)[0]
    assert "Warning: val has 0 images, far fewer than an eighth" in format_image_summary(summary)


def test_unreadable_images(rafdb, data):
    (rafdb / "Image/aligned/train_00004_aligned.jpg").write_bytes(b"")
    one = refuses(
        r"train_00004_aligned.jpg: not an image that can be read \(0 bytes\); fix the row, or drop it",
        data,
        "rafdb",
        rafdb,
    )
    assert "\n" not in one
    (rafdb / "Image/aligned/test_00032_aligned.jpg").write_bytes(b"no image")
    many = refuses(r"2 bad rows; fix them, or drop them with --skip-bad-rows", data, "rafdb", rafdb)
    assert len(many.splitlines()) == 3
    summary, manifest, found = made(data, "rafdb", rafdb, skip_bad_rows=True)
    assert len(found) == 33
    assert summary["skipped_rows"] == 2
    assert manifest.table["source_row"].max() == 34  # the numbers of the others stay
    assert "Dropped 2 bad images, among them:\n  /" in format_image_summary(summary)


def test_all_images_unreadable(source, data, faces):
    for name in ("happy/1.png", "sad/1.png"):
        faces.write(source / name).write_bytes(b"x")
    refuses(
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
    refuses(
        r"source: no image to use in it \(.*\), expected files ending in .png, .jpg",
        data,
        dataset,
        source,
    )


def test_only_labels_that_are_left_out(source, data, faces):
    write_tree(source, ["train/8/1.jpg", "val/10/1.jpg"], faces)
    refuses(r"no image to use in it .*, only 1 none, 1 no face", data, "affectnet", source)


@pytest.mark.parametrize("dataset", ["affectnet", "rafdb", "folders"])
def test_source_missing_or_a_file(source, data, dataset):
    refuses(
        r"source: no such folder; give the folder that contains the images", data, dataset, source
    )
    source.write_text("")
    refuses(r"source: a file, not a folder", data, dataset, source)


@pytest.mark.parametrize("place", ["", "new", "train/new"])
def test_never_writes_into_the_source(source, faces, place):
    write_tree(source, ["train/happy/1.png", "train/sad/2.png"], faces)
    before = digest(source)
    refuses(
        r"is inside the source folder .* choose a folder outside it, such as -d data/folders",
        source / place,
        "folders",
        source,
    )
    assert digest(source) == before
    assert not (source / "new").exists()


def test_source_within_the_folder_is_allowed(tmp_path, faces):
    write_tree(tmp_path / "images", ["happy/1.png", "sad/2.png"], faces)
    assert len(made(tmp_path, "folders", tmp_path / "images")[2]) == 2


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
    refuses(match, data, dataset, source, classes=classes)


def test_another_dataset_is_not_replaced(rafdb, data, tmp_path):
    data.mkdir()
    write_icml_csv(data / "icml_face_data.csv", smooth_images(20), usages_for(14, 3, 3))
    set_up(data, progress=False)
    before = digest(data)
    with pytest.raises(
        DataError, match=r"holds a dataset of another kind, fer2013, .* -d data/rafdb"
    ):
        set_up_image_dataset(data, "rafdb", rafdb, progress=False)
    assert digest(data) == before
    made(tmp_path / "mine", "rafdb", rafdb)
    with pytest.raises(
        DataError,
        match=r"holds a dataset of another kind, rafdb, that set-up of fer2013 would replace",
    ):
        set_up(tmp_path / "mine", source=data, progress=False)
    assert len(read_manifest(tmp_path / "mine").table) == 35


def test_killed_before_the_end_leaves_the_earlier_dataset(rafdb, data, monkeypatch):
    def fail(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(image_datasets, "write_manifest", fail)
        with pytest.raises(KeyboardInterrupt):
            made(data, "rafdb", rafdb)
        assert list(data.iterdir()) == []
    made(data, "rafdb", rafdb)
    before = digest(data)
    (data / ".setup-1").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(image_datasets, "scan_images", fail)
        with pytest.raises(KeyboardInterrupt):
            made(data, "rafdb", rafdb, seed=1)
    assert digest(data) == before
    made(data, "rafdb", rafdb)
    assert sorted(path.name for path in data.iterdir()) == ["dataset.json", "manifest.csv"]


def test_images_gone_since(rafdb, data):
    made(data, "rafdb", rafdb)
    (rafdb / "Image/aligned/train_00003_aligned.jpg").unlink()
    with pytest.raises(
        DataError,
        match=r"1 of 35 images are missing, the first: /.*00003_aligned.jpg; put them back, or run",
    ):
        read_manifest(data)


def test_names_with_commas_and_letters_of_all_kinds(source, data, faces):
    write_tree(source, ['happy/a,"b".png', "sad/été 1. x.png"], faces)
    (source / "sad/2. y.png").write_bytes(b"")
    summary, _, found = made(data, "folders", source, skip_bad_rows=True)
    assert set(found) == {'happy/a,"b".png', "sad/été 1. x.png"}
    assert summary["skipped"][0].endswith("sad/2. y.png: not an image that can be read (0 bytes)")


def test_names_are_exported():
    assert generate_data.set_up_image_dataset is set_up_image_dataset
    assert generate_data.format_image_summary is format_image_summary
    assert generate_data.ImageFiles is ImageFiles


# ImageFiles


def test_image_files_resize_as_opencv_does(tmp_path, rng):
    large = rng.integers(0, 256, (50, 40, 3), dtype=np.uint8)
    small = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    tall = rng.integers(0, 256, (60, 10, 3), dtype=np.uint8)
    paths = [tmp_path / name for name in ("large.png", "small.png", "tall.png")]
    for path, image in zip(paths, (large, small, tall), strict=True):
        cv2.imwrite(str(path), image[:, :, ::-1])
    images = ImageFiles(paths, 20, 3, workers=2)
    assert (len(images), images.shape, images.dtype) == (3, (3, 20, 20, 3), np.uint8)
    squashed = cv2.resize(
        cv2.resize(tall, (10, 20), interpolation=cv2.INTER_AREA),
        (20, 20),
        interpolation=cv2.INTER_LINEAR,
    )
    expected = [
        cv2.resize(large, (20, 20), interpolation=cv2.INTER_AREA),
        cv2.resize(small, (20, 20), interpolation=cv2.INTER_LINEAR),
        squashed,
    ]
    np.testing.assert_array_equal(images[:], expected)
    np.testing.assert_array_equal(images[np.array([2, 0])], [expected[2], expected[0]])
    np.testing.assert_array_equal(images[[-1]], [expected[2]])
    np.testing.assert_array_equal(images[1], expected[1])
    np.testing.assert_array_equal(images[::-2], [expected[2], expected[0]])
    np.testing.assert_array_equal(images[np.array([False, True, False])], [expected[1]])
    assert images[3:].shape == images[[]].shape == (0, 20, 20, 3)
    with pytest.raises(IndexError):
        images[[3]]
    with pytest.raises(IndexError, match=r"Received: float64 array"):
        images[[0.5]]


def test_shrinking_by_half_averages_four_pixels(tmp_path):
    cv2.imwrite(
        str(tmp_path / "a.png"),
        np.array([[0, 4, 100, 100], [8, 20, 100, 100], [1, 1, 3, 3], [1, 1, 3, 3]], np.uint8),
    )
    assert ImageFiles([tmp_path / "a.png"], 2, 1)[0][..., 0].tolist() == [[8, 100], [1, 3]]


def test_colours(tmp_path):
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 2] = 200  # OpenCV writes blue, green, red
    cv2.imwrite(str(tmp_path / "red.png"), red)
    cv2.imwrite(str(tmp_path / "gray.png"), np.full((8, 8), 77, np.uint8))
    half = np.dstack([red, np.full((8, 8), 128, np.uint8)])
    cv2.imwrite(str(tmp_path / "alpha.png"), half)
    paths = [tmp_path / name for name in ("red.png", "gray.png", "alpha.png")]
    assert ImageFiles(paths, 8, 3)[:][:, 0, 0].tolist() == [[200, 0, 0], [77, 77, 77], [200, 0, 0]]
    assert ImageFiles(paths, 8, 1)[:][:, 0, 0].tolist() == [[60], [77], [60]]  # 0.299 of red


def test_orientation_of_a_photo_is_honoured(tmp_path):
    from PIL import Image

    photo = Image.fromarray(np.repeat(np.array([[0, 255]], np.uint8), 16, axis=0).repeat(8, axis=1))
    exif = Image.Exif()
    exif[0x112] = 6  # to be turned right by a quarter
    photo.save(tmp_path / "turned.jpg", exif=exif)
    image = ImageFiles([tmp_path / "turned.jpg"], 16, 1)[0][..., 0]
    assert image[:6].max() < 10
    assert image[10:].min() > 245


def test_image_files_name_the_file(tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((4, 4), np.uint8))
    (tmp_path / "1.png").write_bytes(b"")
    images = ImageFiles([tmp_path / f"{index}.png" for index in range(3)], 4, 1)
    with pytest.raises(DataError, match=r"1.png: not an image that can be read \(0 bytes\)"):
        images[:2]
    with pytest.raises(DataError, match=r"2.png: the image is missing"):
        images[2]
    assert images[[0, 0]].shape == (2, 4, 4, 1)


@pytest.mark.parametrize(
    ("size", "channels", "match"), [(0, 3, "size=0"), (4, 2, "channels=2"), (4, 4, "channels=4")]
)
def test_image_files_check_their_arguments(size, channels, match):
    with pytest.raises(ValueError, match=match):
        ImageFiles([], size, channels)


def test_image_files_from_several_threads(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    for index, image in enumerate(smooth_images(20)):
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
    images = ImageFiles([tmp_path / f"{index}.png" for index in range(20)], 24, 1, workers=2)
    expected = images[:]
    rows = [np.random.default_rng(seed).permutation(20) for seed in range(16)]
    with ThreadPoolExecutor(4) as pool:
        for row, batch in zip(rows, pool.map(images.__getitem__, rows), strict=True):
            np.testing.assert_array_equal(batch, expected[row])
    images.close()
