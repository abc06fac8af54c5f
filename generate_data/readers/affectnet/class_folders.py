"""AffectNet as class folders, below split folders or directly in one folder.

The folders are named by number or by expression. A file classes.txt beside them says what their
numbers mean. A file labels.csv beside them (columns pth, label and relFCs) has other labels for
many images. Its author's description speaks of pseudo labels, so they probably come from a model:
they are compared with the folders and not used.
"""

import csv
from pathlib import Path

from generate_data.errors import DataError, foreign_format
from generate_data.labels import AFFECTNET, SPLIT_FOLDERS, affectnet_class
from generate_data.readers.affectnet.class_names import read_classes_txt
from generate_data.readers.affectnet.labels import (
    LAST,
    LabelledImage,
    label_of_name,
    label_of_text,
)
from generate_data.readers.listing import Listing, image_names, list_class_folders, subfolders

FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "test",
    "valid": "test",
    "validation": "test",
}
# For redistributed copies with new splits.
RESPLIT = {name: SPLIT_FOLDERS[name] for name in (*FOLDERS, "test", "testing")}
CLASSES, CSV_LABELS = "classes.txt", "labels.csv"
EXPECTED = (
    f"not a class of AffectNet, expected a folder 0 to {LAST} or a name such as {AFFECTNET[1]}"
)


class FolderNames:
    """The label of each class folder.

    Args:
        folder: the folder of the class folders or of their split folders; it or one of these may
            hold classes.txt.
    """

    def __init__(self, folder: Path) -> None:
        self.names: dict[int, str] | None = None
        for file in _files_beside(folder, CLASSES)[:1]:
            self.names = read_classes_txt(file)
            for number, name in self.names.items():
                if label_of_name(name) is None:
                    problem = f"class {number}, {name!r}, is not one of AffectNet"
                    raise DataError(file, problem, f"name it as {', '.join(AFFECTNET)}")

    def label(self, folder_name: str) -> int | None:
        """Returns AffectNet's label for a folder named by number or by expression, or None."""
        name = folder_name.strip()
        if not name.isdecimal():
            return label_of_name(name)
        if self.names is None:
            return label_of_text(name)
        return label_of_name(self.names[int(name)]) if int(name) in self.names else None


def _files_beside(folder: Path, name: str) -> list[Path]:
    """Returns the files of this name in a folder and in its split folders."""
    parts = [path for part, path in subfolders(folder).items() if part in SPLIT_FOLDERS]
    return [file for file in (folder / name, *(path / name for path in parts)) if file.is_file()]


def has_split_folders(folder: Path) -> bool:
    """Whether a folder holds split folders with class folders."""
    return any(
        name in FOLDERS and any(_is_class(part) for part in subfolders(path))
        for name, path in subfolders(folder).items()
    )


def has_class_folders(folder: Path) -> bool:
    """Whether a folder holds class folders, at least two.

    Numbers must start at 0: the folders of AffectNet's photos are 1, 2, 3, ...
    """
    names = set(subfolders(folder))
    numbers = {name for name in names if name.isdecimal()}
    if numbers and (("0" not in numbers) or not all(map(_is_class, numbers))):
        return False
    return sum(map(_is_class, names)) >= 2


def _is_class(name: str) -> bool:
    return label_of_name(name) is not None or (name.isdecimal() and label_of_text(name) is not None)


def read_split_folders(listing: Listing, folder: Path) -> list[LabelledImage]:
    """Reads class folders below split folders.

    Raises:
        DataError: a class folder is unknown, or classes.txt cannot be used.
    """
    listing.form = "AffectNet as class folders"
    names = FolderNames(folder)
    splits = FOLDERS
    if {"test", "testing"} & set(subfolders(folder)):
        splits = RESPLIT
        listing.warnings.append(
            "this copy has a test folder next to val, so its splits were changed: "
            "do not compare results with published figures."
        )
    rows = list_class_folders(listing, folder, splits, names.label, EXPECTED)
    images = [LabelledImage(*row) for row in rows]
    _finish(listing, folder, names, images)
    return images


def read_direct_folders(listing: Listing, folder: Path) -> list[LabelledImage]:
    """Reads class folders without split folders; `split` of their images is "".

    Raises:
        DataError: classes.txt cannot be used.
    """
    listing.form = "AffectNet as class folders without splits"
    names, images = FolderNames(folder), []
    for part in subfolders(folder).values():
        label = names.label(part.name)
        if label is None:
            listing.passed_over.add("folders are not read (not a class of AffectNet)", part)
            continue
        base = part.relative_to(listing.root).as_posix()
        images += [
            LabelledImage(f"{base}/{name}", "", label, part.name)
            for name in image_names(part, listing.passed_over)
        ]
    _finish(listing, folder, names, images)
    return images


def _finish(
    listing: Listing, folder: Path, names: FolderNames, images: list[LabelledImage]
) -> None:
    """Reports what classes.txt and labels.csv say."""
    if names.names is not None:
        listing.form += ", numbered as in classes.txt"
    for file in _files_beside(folder, CLASSES):
        listing.passed_over.remove(file)
    for file in _files_beside(folder, CSV_LABELS):
        listing.passed_over.remove(file)
        _compare(listing, file, images)


def _compare(listing: Listing, file: Path, images: list[LabelledImage]) -> None:
    """Reports how often labels.csv gives another class than the folders."""
    labels = _csv_labels(file)
    listed = [(image, labels[key]) for image in images if (key := _key(image.path)) in labels]
    others = [(image, name) for image, name in listed if label_of_name(name) != image.label]
    if not others:
        return
    image, name = others[0]
    listing.warnings.append(
        f"{file} gives another class than the folder for {len(others):,} of {len(listed):,} images "
        f"({100 * len(others) / len(listed):.0f} %), the first: {image.path}, {name} instead of "
        f"{affectnet_class(image.label)[0]}. The folders are used: the labels of the file probably "
        "come from a model (pseudo labels)."
    )


def _csv_labels(file: Path) -> dict[str, str]:
    """Returns {class folder and file name: label} of a labels.csv, {} if it is another table."""
    with (
        foreign_format(DataError, file, "cannot read the labels", "correct it or remove it"),
        open(file, encoding="utf-8-sig", errors="replace", newline="") as lines,
    ):
        table = csv.DictReader(lines)
        if not {"pth", "label"} <= set(table.fieldnames or ()):
            return {}
        return {_key(row["pth"] or ""): row["label"] or "" for row in table}


def _key(path: str) -> str:
    """The last folder and the file name of a path, in lower case."""
    return "/".join(path.replace("\\", "/").split("/")[-2:]).lower()
