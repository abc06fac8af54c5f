"""The reader of RAF-DB: images with a list of labels, or class folders.

Its labels are 1..7 = surprise, fear, disgust, happy, sad, anger, neutral. It has no val.
"""

import dataclasses
import os
from collections.abc import Container
from pathlib import Path

from generate_data.errors import DataError, foreign_format
from generate_data.folder_contents import PassedOver, contents_of
from generate_data.labels import CLASS_ORDER, RAFDB, SPLIT_FOLDERS, expression_of
from generate_data.readers.listing import (
    ListedImage,
    Listing,
    existing_root,
    image_names,
    list_class_folders,
    subfolders,
)
from generate_data.readers.rafdb_csv import add_csv_images, label_files

# The authors' spelling comes first.
LISTS = ("list_patition_label.txt", "list_partition_label.txt")
LIST_FOLDERS = ("", "EmoLabel", "basic/EmoLabel")
IMAGE_FOLDERS = ("Image/aligned", "basic/Image/aligned", "aligned")
SPLITS = ("train", "test")
VALID_IS_TEST = (
    "folder {} holds RAF-DB's test set (RAF-DB has no validation images), so it becomes split "
    "test; val is drawn from train."
)


def list_rafdb(source: str | Path) -> Listing:
    """Lists RAF-DB's images (the basic, single-label part).

    Args:
        source: the folder with EmoLabel/list_patition_label.txt and Image/aligned (both may be
            below `basic`), with class folders train/1 to train/7 and test/1 to test/7 (they may
            be in DATASET, test may be called valid, and numbers may start at 0), or with flat
            images and train_labels.csv and test_labels.csv.

    Raises:
        DataError: the folder is missing or has neither layout.
    """
    root = existing_root(source)
    lists = [root / folder / name for folder in LIST_FOLDERS for name in LISTS]
    file = next((path for path in lists if path.is_file()), None)
    names = CLASS_ORDER[: len(RAFDB)]
    files = label_files(root)
    if file is not None:
        listing = Listing(root, file.name, f"RAF-DB by {file.name}", class_names=names)
        _add_listed_images(listing, file)
    elif files and not _has_class_folders(root):
        listing = Listing(root, "rafdb", "RAF-DB", class_names=names)
        add_csv_images(listing, files)
    else:
        listing = Listing(root, "rafdb", "RAF-DB as class folders", class_names=names)
        _add_class_folders(listing, _split_root(root))
    listing.images.sort(key=lambda image: image.path)
    return listing


def _add_listed_images(listing: Listing, file: Path) -> None:
    """Adds the images of a list file, and records its bad lines as problems."""
    folders = _image_folders(listing.root, file)
    names_on_disk = {
        name: f"{folder.relative_to(listing.root).as_posix()}/{name}"
        for folder in folders
        for name in image_names(folder, listing.passed_over)
    }
    seen: set[str] = set()
    for number, line in enumerate(_lines(file), 1):
        fields = line.split()
        if not fields:
            continue
        fault = _fault(fields, seen)
        if fault:
            where = f"line {number}, {line.strip()[:60]!r}"
            listing.add_problem(f"bad lines in {file.name}", f"{where}: {fault}")
            continue
        name, label = fields
        seen.add(name)
        image = _image_name(name, names_on_disk)
        if image not in names_on_disk:
            missing = str(folders[0] / image)
            listing.add_problem(f"images of {file.name} that do not exist", missing)
            continue
        split = name.partition("_")[0].lower()
        path = names_on_disk[image]
        listing.images.append(ListedImage(path, split, RAFDB[int(label) - 1], label))
    unused = len(names_on_disk) - len(listing.images)
    if unused:
        places = " and ".join(map(str, folders))
        listing.warnings.append(f"{unused} images in {places} are not in {file.name}.")
    _report_valid(listing)


def _report_valid(listing: Listing) -> None:
    """Reports that test images are in a folder called valid, as POSTER lays them out."""
    for image in listing.images:
        folder = image.path.split("/")[-2]
        if image.split == "test" and SPLIT_FOLDERS.get(folder.lower()) == "val":
            listing.warnings.append(VALID_IS_TEST.format(folder))
            return


def _image_folders(root: Path, file: Path) -> list[Path]:
    """Finds the images of a list file: one folder of aligned images, or train and valid."""
    for folder in IMAGE_FOLDERS:
        if (root / folder).is_dir():
            return [root / folder]
    flat = [path for name, path in subfolders(root).items() if name in SPLIT_FOLDERS]
    if any(contents_of(path, PassedOver()).images for path in flat):
        return flat
    raise DataError(
        root,
        f"{file.name} exists without aligned images, looked for in {', '.join(IMAGE_FOLDERS)}",
        "unpack aligned.zip into one of them",
    )


def _image_name(name: str, names_on_disk: Container[str]) -> str:
    """Returns the file name for a name in the list: train_1.jpg is train_1_aligned.jpg on disk.

    Some copies of the dataset have the names of the list on disk.
    """
    stem, ending = os.path.splitext(name)
    aligned = f"{stem}_aligned{ending}"
    return name if aligned not in names_on_disk and name in names_on_disk else aligned


def _lines(file: Path) -> list[str]:
    with foreign_format(DataError, file, "cannot read the list", "check its permissions"):
        return file.read_text(encoding="utf-8-sig", errors="replace").splitlines()


def _fault(fields: list[str], seen: set[str]) -> str:
    """Returns what is wrong with a line of the list, or "" for a valid line."""
    if len(fields) != 2:
        return f"{len(fields)} fields, expected a name and a label such as train_00001.jpg 5"
    name, label = fields
    if name.partition("_")[0].lower() not in SPLITS:
        return "a name that starts with neither train_ nor test_"
    if label.lstrip("0") not in map(str, range(1, len(RAFDB) + 1)):
        return f"label {label[:20]}, expected 1 to {len(RAFDB)}"
    return "listed twice" if name in seen else ""


def _split_parents(root: Path) -> list[Path]:
    """Returns the folders that may contain train and test."""
    return [root, *(path for name, path in subfolders(root).items() if name == "dataset")]


def _has_class_folders(root: Path) -> bool:
    return any(
        name in SPLIT_FOLDERS and any(_class_name(part, 0) for part in subfolders(path))
        for parent in _split_parents(root)
        for name, path in subfolders(parent).items()
    )


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


def _add_class_folders(listing: Listing, split_parent: Path) -> None:
    """Adds the images of class folders."""
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
