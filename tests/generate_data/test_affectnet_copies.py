"""AffectNet as people redistribute it, and as its authors give it: each layout with its labels."""

from collections import Counter

import cv2
import numpy as np
import pytest

from generate_data.images.png import read_image
from generate_data.labels import CLASS_NAMES
from generate_data.manifest import read_manifest
from generate_data.readers.affectnet.class_names import read_classes_txt, read_yolo_names
from tests.support.image_datasets import (
    AFFECTNET,
    assert_refused,
    file_states,
    set_up_and_read,
    write_tree,
)

ALPHABETICAL = ["Anger", "Contempt", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"]
NAMES = ["angry", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise"]


# Class folders with labels.csv.


def write_labels_csv(source, paths, others):
    """labels.csv with the class of the folder, except for the paths in `others`."""
    rows = [
        f"{row},{path},{others.get(path, path.split('/')[0])},0.87{row}"
        for row, path in enumerate(paths)
    ]
    (source / "labels.csv").write_text("\n".join([",pth,label,relFCs", *rows]) + "\n")


@pytest.mark.parametrize("place", ["", "archive/", "Train/"])
def test_labels_csv_that_disagrees_with_the_folders(source, data, faces, place):
    paths = [f"{name.lower()}/image{n:07d}.jpg" for name in ALPHABETICAL for n in range(5)]
    write_tree(source, [place + path for path in paths], faces)
    others = {"anger/image0000003.jpg": "surprise", "sad/image0000004.jpg": "contempt"}
    write_labels_csv(source, paths, others)
    if place == "archive/":
        (source / "labels.csv").rename(source / "archive/labels.csv")
    before = file_states(source)
    summary, manifest, found = set_up_and_read(data, "affectnet", source)
    classes = dict(zip((name.lower() for name in ALPHABETICAL), NAMES, strict=True))
    assert {path: name for path, (_, name) in found.items()} == {
        place + path: classes[path.split("/")[0]] for path in paths
    }
    (line,) = [line for line in summary["warnings"] if "labels.csv" in line]
    assert (
        "gives another class than the folder for 2 of 40 images (5 %), the first: "
        f"{place}anger/image0000003.jpg, surprise instead of angry. The folders are used: the "
        "labels of the file probably come from a model (pseudo labels)."
    ) in line
    assert manifest.class_names == (*CLASS_NAMES, "contempt")
    assert file_states(source) == before
    splits = Counter(split for split, _ in found.values())
    if place == "Train/":
        assert set(splits) == {"train", "val"}
    else:
        assert splits == {"train": 30, "val": 5, "test": 5}
        assert summary["val_from"] == "all"
        assert any("no splits, so val and test are drawn" in line for line in summary["warnings"])


def test_labels_csv_that_agrees(source, data, faces):
    paths = [f"{name}/{n}.jpg" for name in ("anger", "sad") for n in range(3)]
    write_labels_csv(write_tree(source, paths, faces), paths, {"sad/1.jpg": "Sadness"})
    summary = set_up_and_read(data, "affectnet", source)[0]
    assert not any("labels.csv" in line for line in summary["warnings"])


def test_photo_folders_without_their_lists_are_not_classes(source, data, faces):
    """Manually_Annotated_Images has numbered folders that say nothing about expressions."""
    write_tree(source, [f"Manually_Annotated_Images/{n}/{n}.jpg" for n in (1, 2, 3)], faces)
    assert_refused(r"not AffectNet: neither .* nor training.csv", data, "affectnet", source)


# Numbered folders with classes.txt.


@pytest.mark.parametrize(
    "line", ["{name}", "{number} {name}", "{number}: {name}", "{name},{number}"]
)
@pytest.mark.parametrize(
    ("splits", "place"), [(("train", "val"), ""), (("train", "val"), "train"), (("",), "")]
)
def test_numbers_in_the_order_of_classes_txt(source, data, faces, line, splits, place):
    parts = [f"{split}/" if split else "" for split in splits]
    names = [f"{part}{number}/{number}.jpg" for part in parts for number in range(8)]
    write_tree(source, names, faces)
    lines = [line.format(number=number, name=name) for number, name in enumerate(ALPHABETICAL)]
    (source / place / "classes.txt").write_text("\n".join(lines) + "\n")
    summary, manifest, found = set_up_and_read(data, "affectnet", source)
    assert {path: name for path, (_, name) in found.items()} == {
        path: NAMES[int(path.split("/")[-2])] for path in names
    }
    assert manifest.class_names == (*CLASS_NAMES, "contempt")
    assert summary["taken"][0].endswith(", numbered as in classes.txt")
    assert not any("not read" in line for line in summary["warnings"])


def test_numbers_without_classes_txt(source, data, faces):
    names = [f"{number}/{number}.jpg" for number in range(8)]
    found = set_up_and_read(data, "affectnet", write_tree(source, names, faces))[2]
    assert {path: name for path, (_, name) in found.items()} == {
        path: AFFECTNET[int(path[0])] for path in names
    }


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("0 anger\n0 contempt\n", r"classes.txt: line 2, '0 contempt': number 0 twice"),
        ("anger\n12\n", r"classes.txt: line 2, '12': expected a class name a line"),
        ("anger\ncats\n", r"classes.txt: class 1, 'cats', is not one of AffectNet"),
        ("anger\n", r"train/1: not a class of AffectNet"),
    ],
)
def test_classes_txt_that_cannot_be_used(source, data, faces, text, match):
    write_tree(source, ["train/0/1.jpg", "train/1/2.jpg"], faces)
    (source / "classes.txt").write_text(text)
    assert "\n" not in assert_refused(match, data, "affectnet", source)


def test_classes_txt_with_names_of_two_words(tmp_path):
    (tmp_path / "classes.txt").write_text("\ufeff0\tno face\n1\t no-expression \n\n")
    assert read_classes_txt(tmp_path / "classes.txt") == {0: "no face", 1: "no-expression"}


# YOLO.

YAML = """\
train: ../train/images
val: ../valid/images
test: ../test/images

nc: 8
names: {names}
"""
YAML_NAMES = [
    str(ALPHABETICAL),
    "\n" + "".join(f"- {name}\n" for name in ALPHABETICAL),
    "\n" + "".join(f"  {number}: '{name}'\n" for number, name in enumerate(ALPHABETICAL)),
    "{" + ", ".join(f"{number}: {name}" for number, name in enumerate(ALPHABETICAL)) + "}",
]


@pytest.mark.parametrize("names", YAML_NAMES)
def test_names_of_data_yaml(tmp_path, names):
    (tmp_path / "data.yaml").write_text(YAML.format(names=names) + "roboflow:\n  name: x\n")
    assert read_yolo_names(tmp_path / "data.yaml") == dict(enumerate(ALPHABETICAL))


def yolo(root, faces, labels, names=YAML_NAMES[0]):
    """A YOLO dataset of images of 96x96; `labels` has the lines for each image."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "data.yaml").write_text(YAML.format(names=names))
    for name, lines in labels.items():
        part, stem = name.split("/")
        faces.write(root / part / f"images/{stem}.png", size=(96, 96))
        (root / part / "labels").mkdir(parents=True, exist_ok=True)
        if lines is not None:
            (root / part / "labels" / f"{stem}.txt").write_text("\n".join(lines))
    return root


@pytest.mark.parametrize("place", ["", "YOLO_format"])
def test_yolo_form(source, data, faces, place):
    labels = {
        f"{part}/ffhq_{number}": [f"{number} 0.5 0.5 1.0 1.0"]
        for part in ("train", "valid", "test")
        for number in range(8)
    }
    yolo(source / place, faces, labels)
    summary, manifest, found = set_up_and_read(data, "affectnet", source)
    folder = f"{place}/" if place else ""
    splits = {"train": "train", "valid": "val", "test": "test"}
    assert found == {
        f"{folder}{part}/images/ffhq_{number}.png": (splits[part], NAMES[number])
        for part in splits
        for number in range(8)
    }
    assert manifest.class_names == (*CLASS_NAMES, "contempt")
    assert "box" not in manifest.table
    assert summary["taken"] == ["AffectNet in YOLO form"]
    assert any("splits of its own" in line for line in summary["warnings"])


def test_yolo_faces_are_read_from_their_boxes(source, data, faces):
    from ferkit.input_pipeline.dataset import load_split
    from ferkit.input_pipeline.learned import image_hashes

    labels = {
        "train/two": ["4 0.25 0.5 0.5 1.0", "6 0.75 0.25 0.5 0.5"],
        "train/none": [""],
        "valid/one": ["0 0.5 0.5 0.25 0.5"],
    }
    yolo(source, faces, labels)
    summary, manifest, _ = set_up_and_read(data, "affectnet", source)
    rows = manifest.table.sort_values("source_row")
    assert list(rows["box"]) == ["0 0 48 96", "48 0 48 48", "36 24 24 48"]
    assert [manifest.class_names[label] for label in rows["label"]] == ["happy", "sad", "angry"]
    assert summary["skipped_labels"] == {"no face": 1}
    assert "no test folder: the dataset has no split test." in summary["warnings"]
    whole = read_image(source / "train/images/two.png")
    split = load_split(data, "train", size=48, channels=3)
    assert np.array_equal(split.images[1], whole[:48, 48:])
    assert len(set(image_hashes(split.images))) == 2


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (["8 0.5 0.5 1 1"], r"1 label lines that are not a face, expected a class 0 to 7 and four"),
        (["0 0.5 0.5 1"], r"the first: .*train/labels/a.txt holds '0 0.5 0.5 1'"),
        (["0 0.5 0.5 96 96"], r"1 label lines that are not a face"),
        (["0 nan 0.5 1 1"], r"1 label lines that are not a face"),
        (["happy 0.5 0.5 1 1"], r"1 label lines that are not a face"),
        (None, r"1 images without a label file, the first: .*train/images/a.png"),
    ],
)
def test_yolo_malformed_label(source, data, faces, lines, match):
    good = ["0 0.5 0.5 1 1"]
    yolo(source, faces, {"train/a": lines, "train/b": good, "train/c": good})
    assert "\n" not in assert_refused(match, data, "affectnet", source)
    _, _, found = set_up_and_read(data, "affectnet", source, skip_bad_rows=True)
    assert set(found) == {"train/images/b.png", "train/images/c.png"}


@pytest.mark.parametrize(
    ("names", "match"),
    [
        ("[cat, dog]", r"data.yaml: class 0, 'cat', is not one of AffectNet"),
        ("", r"data.yaml: no class names in it \(names\)"),
        (None, r"data.yaml: missing, so the classes of the numbers are unknown"),
    ],
)
def test_yolo_without_its_names(source, data, faces, names, match):
    yolo(source, faces, {"train/a": ["0 0.5 0.5 1 1"]}, names or "")
    if names is None:
        (source / "data.yaml").unlink()
    assert_refused(match, data, "affectnet", source)


# The authors' lists.

HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)
LANDMARKS = ";".join(["12.5"] * 136)


def original(source, faces, lists_at="", images_at="Manually_Annotated_Images", header=True):
    """Photos of 200x100, a face of 50x60 at (100, 20) in each; labels 0 to 10 in turn."""
    lines = {"training.csv": [HEADER], "validation.csv": [HEADER] if header else []}
    for number in range(33):
        name = f"{number % 3 + 1}/{number:032x}.jpg"
        faces.write(source / images_at / name, size=(200, 100))
        box = "NULL,NULL,NULL,NULL" if number % 11 == 10 else "100,20,50,60"
        row = f"{name},{box},{LANDMARKS},{number % 11},0.1,-0.2"
        lines["training.csv" if number < 22 else "validation.csv"].append(row)
    (source / lists_at).mkdir(parents=True, exist_ok=True)
    for name, rows in lines.items():
        (source / lists_at / name).write_text("\n".join(rows) + "\n")
    return source


@pytest.mark.parametrize(
    ("lists_at", "images_at"),
    [
        ("", "Manually_Annotated_Images"),
        ("Manually_Annotated_file_lists", "Manually_Annotated/Manually_Annotated_Images"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("header", [True, False])
def test_original_lists(source, data, faces, lists_at, images_at, header):
    original(source, faces, lists_at, images_at, header)
    before = file_states(source)
    summary, manifest, found = set_up_and_read(data, "affectnet", source)
    assert len(found) == 24
    for path, (split, name) in found.items():
        number = int(path.rpartition("/")[2].removesuffix(".jpg"), 16)
        assert name == AFFECTNET[number % 11]
        assert split == "test" if number >= 22 else split in ("train", "val")
    assert summary["skipped_labels"] == {"none": 3, "uncertain": 3, "no face": 3}
    assert summary["image_size"] == [60, 50]
    assert set(manifest.table["box"]) == {"100 20 50 60"}
    assert set(manifest.table["source_label"]) == set("01234567")
    assert summary["taken"] == ["AffectNet with training.csv and validation.csv"]
    assert file_states(source) == before


def test_original_faces_are_cropped(source, data, faces):
    from ferkit.input_pipeline.dataset import load_split

    set_up_and_read(data, "affectnet", original(source, faces))
    manifest = read_manifest(data)
    split = load_split(data, "test", size=60, channels=3)
    photo = read_image(manifest.split("test")["path"][0])
    face = cv2.resize(photo[20:80, 100:150], (60, 60), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(split.images[0], face)


def replace_row(source, row, fields):
    file = source / "training.csv"
    lines = file.read_text().splitlines()
    lines[row] = fields
    file.write_text("\n".join(lines))


PHOTO = f"1/{0:032x}.jpg"


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        (f"{PHOTO},1,1,9,9,,11,0,0", r"1 bad lines in training.csv, the first: line 2: expression"),
        (f"{PHOTO},1,1,9,9,,,0,0", r"line 2: expression '', expected a number from 0 to 10"),
        (f"{PHOTO},1,x,9,9,,0,0,0", r"line 2: face box '1, x, 9, 9', expected left, top, width"),
        (f"{PHOTO},1,1,0,9,,0,0,0", r"line 2: face box '1, 1, 0, 9'"),
        (f"{PHOTO}", r"line 2: expression ''"),
        ("../../etc/x.jpg,1,1,9,9,,0,0,0", r"line 2: path '../../etc/x.jpg', expected one such as"),
        ("/etc/x.jpg,1,1,9,9,,0,0,0", r"1 bad lines .* line 2: path '/etc/x.jpg'"),
        (",1,1,9,9,,0,0,0", r"1 bad lines .* line 2: path ''"),
        ("1/gone.jpg,1,1,9,9,,0,0,0", r"1 images of training.csv that do not exist, .*1/gone.jpg"),
        (f"{PHOTO},900,1,9,9,,0,0,0", r"the face box 900 1 9 9 .* has no pixel of the image"),
    ],
)
def test_original_malformed_row(source, data, faces, fields, match):
    original(source, faces)
    replace_row(source, 1, fields)
    assert_refused(match, data, "affectnet", source)
    summary, _, found = set_up_and_read(data, "affectnet", source, skip_bad_rows=True)
    assert len(found) == 23
    assert summary["skipped_rows"] == 1


def test_original_rows_without_a_face_box_are_counted(source, data, faces):
    original(source, faces)
    replace_row(source, 1, f"{PHOTO},NULL,NULL,NULL,NULL,,0,0,0")
    summary, _, found = set_up_and_read(data, "affectnet", source)
    assert summary["skipped_labels"]["no face box"] == 1
    assert len(found) == 23


def test_original_lists_without_photos_or_columns(source, data, faces):
    original(source, faces, images_at="photos")
    match = r"training.csv exists without its photos, 1 was looked for in Manually_Annotated_Images"
    assert_refused(match, data, "affectnet", source)
    (source / "photos").rename(source / "Manually_Annotated_Images")
    replace_row(source, 0, HEADER.replace("face_width", "w"))
    assert_refused(r"wrong header, face_width missing", data, "affectnet", source)
