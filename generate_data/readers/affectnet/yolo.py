"""AffectNet in YOLO form: train/images with train/labels, and class names in data.yaml.

Each image has a text file of the same name with a line a face: class, and center, width and height
of its box as fractions of the image. Each face is read from its box.
"""

import math
import os
from pathlib import Path

from PIL import Image

from generate_data.errors import DataError, foreign_format
from generate_data.images.face_box import Box
from generate_data.labels import AFFECTNET, SPLIT_FOLDERS
from generate_data.readers.affectnet.class_names import read_yolo_names
from generate_data.readers.affectnet.labels import LabelledImage, label_of_name
from generate_data.readers.listing import Listing, file_names, image_names, subfolders

NAMES = "data.yaml"
NO_FACE = "no face"


def yolo_folders(folder: Path) -> dict[Path, str]:
    """Returns the split of each folder with images and labels; {} if the form is another."""
    found = {}
    for name, path in subfolders(folder).items():
        if name in SPLIT_FOLDERS and {"images", "labels"} <= set(subfolders(path)):
            found[path] = SPLIT_FOLDERS[name]
    return found


def read_yolo(listing: Listing, folder: Path, parts: dict[Path, str]) -> list[LabelledImage]:
    """Reads every face; images without a face are counted in `listing.skipped`.

    Raises:
        DataError: data.yaml is missing or has a class that AffectNet has not.
    """
    listing.form = "AffectNet in YOLO form"
    listing.warnings.append(
        "this copy has splits of its own: do not compare results with published figures."
    )
    classes = _classes(folder / NAMES)
    images: list[LabelledImage] = []
    for part, split in parts.items():
        texts = set(file_names(part / "labels"))
        for name in image_names(part / "images", listing.passed_over):
            file = part / "labels" / f"{os.path.splitext(name)[0]}.txt"
            if file.name not in texts:
                listing.add_problem("images without a label file", str(part / "images" / name))
                continue
            images += _faces(listing, part / "images" / name, file, split, classes)
    return images


def _classes(file: Path) -> dict[int, int]:
    """Returns AffectNet's label for each class number of data.yaml."""
    if not file.is_file():
        problem = "missing, so the classes of the numbers are unknown"
        raise DataError(file, problem, "add it from the download")
    labels = {}
    for number, name in read_yolo_names(file).items():
        label = label_of_name(name)
        if label is None:
            problem = f"class {number}, {name!r}, is not one of AffectNet"
            raise DataError(file, problem, f"name it as {', '.join(AFFECTNET)}")
        labels[number] = label
    return labels


def _faces(
    listing: Listing, image: Path, file: Path, split: str, classes: dict[int, int]
) -> list[LabelledImage]:
    """Returns the faces of one image; its bad lines are problems."""
    with foreign_format(DataError, file, "cannot read the labels", "check its permissions"):
        lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    lines = [line for line in lines if line.strip()]
    if not lines:
        listing.skipped[NO_FACE] += 1
        return []
    path, size, faces = image.relative_to(listing.root).as_posix(), _size(image), []
    for line in lines:
        number, box = _number_and_box(line.split(), size)
        if number not in classes or box == ():
            received = f"{file} holds {line.strip()[:60]!r}"
            expected = f"a class 0 to {max(classes)} and four fractions"
            listing.add_problem(f"label lines that are not a face, expected {expected}", received)
        else:
            faces.append(LabelledImage(path, split, classes[number], str(number), box or None))
    return faces


def _size(image: Path) -> tuple[int, int]:
    """Width and height in pixels; of an image that cannot be read 1 and 1: the scan reports it."""
    try:
        with Image.open(image) as header:
            return header.size
    except Exception:  # Pillow's exceptions depend on the format
        return 1, 1


def _number_and_box(
    fields: list[str], size: tuple[int, int]
) -> tuple[int | None, Box | tuple[()] | None]:
    """Returns the class and the box in pixels: None for the whole image, () for no box."""
    try:
        number = int(fields[0])
        x, y, width, height = map(float, fields[1:])
    except ValueError:
        return None, ()
    inside = all(0 <= value <= 1 for value in (x, y, width, height))
    if not inside or not width or not height:
        return number, ()
    # Outwards to whole pixels, within the image.
    left, right = _edges(x, width, size[0])
    top, bottom = _edges(y, height, size[1])
    box = left, top, right - left, bottom - top
    return number, None if box == (0, 0, *size) else box


def _edges(center: float, length: float, pixels: int) -> tuple[int, int]:
    """The first pixel of a side and the one after its last."""
    first = math.floor(round((center - length / 2) * pixels, 3))
    last = math.ceil(round((center + length / 2) * pixels, 3))
    return max(first, 0), min(max(last, 1), pixels)
