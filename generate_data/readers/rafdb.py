"""The reader of RAF-DB: aligned images with a list of labels, or class folders.

Its labels are 1..7 = surprise, fear, disgust, happy, sad, anger, neutral. It has no val.
"""

import os
from pathlib import Path

from generate_data.errors import DataError, foreign_format
from generate_data.labels import CLASS_ORDER, RAFDB, SPLIT_FOLDERS, expression_of
from generate_data.readers.listing import (
    ListedImage,
    Listing,
    existing_root,
    image_names,
    list_class_folders,
    subfolders,
)

# The authors' spelling comes first.
LISTS = ("list_patition_label.txt", "list_partition_label.txt")
LIST_FOLDERS = ("", "EmoLabel", "basic/EmoLabel")
IMAGE_FOLDERS = ("Image/aligned", "basic/Image/aligned", "aligned")
SPLITS = ("train", "test")


def list_rafdb(source: str | Path) -> Listing:
    """Lists RAF-DB's images (the basic, single-label part).

    Args:
        source: the folder with EmoLabel/list_patition_label.txt and Image/aligned (both may be
            below `basic`), or with class folders train/1 to train/7 and test/1 to test/7 (they may
            be in DATASET).

    Raises:
        DataError: the folder is missing or has neither layout.
    """
    root = existing_root(source)
    lists = [root / folder / name for folder in LIST_FOLDERS for name in LISTS]
    file = next((path for path in lists if path.is_file()), None)
    names = CLASS_ORDER[: len(RAFDB)]
    if file is not None:
        listing = Listing(root, file.name, f"RAF-DB by {file.name}", class_names=names)
        _add_listed_images(listing, file)
    else:
        listing = Listing(root, "rafdb", "RAF-DB as class folders", class_names=names)
        _add_class_folders(listing, _split_root(root))
    listing.images.sort(key=lambda image: image.path)
    return listing


def _add_listed_images(listing: Listing, file: Path) -> None:
    """Adds the images of a list file, and records its bad lines as problems."""
    aligned = _aligned_folder(listing.root, file)
    folder = aligned.relative_to(listing.root).as_posix()
    names_on_disk = set(image_names(aligned, listing.passed_over))
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
            listing.add_problem(f"images of {file.name} that do not exist", str(aligned / image))
            continue
        split = name.partition("_")[0].lower()
        listing.images.append(ListedImage(f"{folder}/{image}", split, RAFDB[int(label) - 1], label))
    unused = len(names_on_disk) - len(listing.images)
    if unused:
        listing.warnings.append(f"{unused} images in {aligned} are not in {file.name}.")


def _aligned_folder(root: Path, file: Path) -> Path:
    """Finds the folder of the aligned images that belong to a list file."""
    for folder in IMAGE_FOLDERS:
        if (root / folder).is_dir():
            return root / folder
    raise DataError(
        root,
        f"{file.name} exists without aligned images, looked for in {', '.join(IMAGE_FOLDERS)}",
        "unpack aligned.zip into one of them",
    )


def _image_name(name: str, names_on_disk: set[str]) -> str:
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


def _split_root(root: Path) -> Path:
    """Finds the folder that contains train and test."""
    for split_parent in (
        root,
        *(path for name, path in subfolders(root).items() if name == "dataset"),
    ):
        if any(name in SPLITS for name in subfolders(split_parent)):
            return split_parent
    raise DataError(
        root,
        f"not RAF-DB: neither {LISTS[0]} (looked for there and in {', '.join(LIST_FOLDERS[1:])}), "
        "nor class folders train/1 to train/7 and test/1 to test/7, directly or in DATASET",
        "give the folder that contains these",
    )


def _add_class_folders(listing: Listing, split_parent: Path) -> None:
    """Adds the images of class folders."""
    expected = (
        f"not a class of RAF-DB, expected a folder 1 to {len(RAFDB)} or a name such as {RAFDB[0]}"
    )
    for image in list_class_folders(listing, split_parent, SPLIT_FOLDERS, _class_name, expected):
        listing.images.append(ListedImage(*image))


def _class_name(folder_name: str) -> str | None:
    """Returns the class name for a folder named by RAF-DB's number or by expression."""
    name = (
        RAFDB[int(folder_name) - 1]
        if folder_name in map(str, range(1, 8))
        else expression_of(folder_name)
    )
    return name if name in RAFDB else None
