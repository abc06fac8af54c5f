"""RAF-DB as class folders: train/1 to train/7 and test/1 to test/7, also as POSTER has them."""

import dataclasses
from pathlib import Path

from generate_data.errors import DataError
from generate_data.labels import RAFDB, SPLIT_FOLDERS, expression_of
from generate_data.readers.listing import ListedImage, Listing, list_class_folders, subfolders
from generate_data.readers.rafdb.label_list import LIST_FOLDERS, LISTS, SPLITS, VALID_IS_TEST


def _split_parents(root: Path) -> list[Path]:
    """Returns the folders that may contain train and test."""
    return [root, *(path for name, path in subfolders(root).items() if name == "dataset")]


def has_class_folders(root: Path) -> bool:
    """Whether a folder, or DATASET in it, holds split folders with class folders."""
    parts = [
        part
        for parent in _split_parents(root)
        for name, path in subfolders(parent).items()
        if name in SPLIT_FOLDERS
        for part in subfolders(path)
    ]
    return any(_class_name(part, 0) or _class_name(part, 1) for part in parts)


def _split_root(root: Path) -> Path:
    """Finds the folder that contains train and test."""
    for split_parent in _split_parents(root):
        if any(name in SPLITS for name in subfolders(split_parent)):
            return split_parent
    raise DataError(
        root,
        f"not RAF-DB: neither {LISTS[0]} (looked for there and in {', '.join(LIST_FOLDERS[1:])}), "
        "nor class folders train/1 to train/7 and test/1 to test/7, directly or in DATASET, "
        "nor train_labels.csv and test_labels.csv",
        "give the folder that contains these",
    )


def add_class_folders(listing: Listing) -> None:
    """Adds the images of class folders.

    Raises:
        DataError: there are none, or one is not a class.
    """
    split_parent = _split_root(listing.root)
    first = _first_number(split_parent)
    last = first + len(RAFDB) - 1
    expected = (
        f"not a class of RAF-DB, expected a folder {first} to {last} or a name such as {RAFDB[0]}"
    )
    if first == 0:
        listing.form += " 0 to 6"
        listing.warnings.append("the class folders 0 to 6 are taken as RAF-DB's labels 1 to 7.")
    rows = list_class_folders(
        listing, split_parent, SPLIT_FOLDERS, lambda name: _class_name(name, first), expected
    )
    listing.images += [ListedImage(*row) for row in rows]
    _make_valid_the_test_split(listing)


def _first_number(split_parent: Path) -> int:
    """The number of the first class folder: 0 where training code has renumbered 1 to 7."""
    names = {
        folder
        for name, path in subfolders(split_parent).items()
        if name in SPLIT_FOLDERS
        for folder in subfolders(path)
    }
    return 0 if "0" in names and str(len(RAFDB)) not in names else 1


def _make_valid_the_test_split(listing: Listing) -> None:
    """Changes split val to test where a copy has train and valid only.

    RAF-DB has no validation images. POSTER and others call its test set valid.
    """
    held_out = [image for image in listing.images if image.split == "val"]
    if any(image.split == "test" for image in listing.images) or not held_out:
        return
    if all(_file_name(image).startswith("train_") for image in held_out):
        return  # someone drew them from the train images
    listing.images = [
        dataclasses.replace(image, split="test") if image.split == "val" else image
        for image in listing.images
    ]
    folder = held_out[0].path.split("/")[-3]
    listing.warnings.append(VALID_IS_TEST.format(folder))


def _file_name(image: ListedImage) -> str:
    return image.path.rpartition("/")[2]


def _class_name(folder_name: str, first: int) -> str | None:
    """Returns the class name for a folder named by number, counted from `first`, or by name."""
    numbers = [str(first + index) for index in range(len(RAFDB))]
    name = (
        RAFDB[numbers.index(folder_name)] if folder_name in numbers else expression_of(folder_name)
    )
    return name if name in RAFDB else None
