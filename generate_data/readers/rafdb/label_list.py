"""RAF-DB by its authors' list of labels: aligned images, or flat images in train and valid."""

import os
from collections.abc import Container
from pathlib import Path

from generate_data.errors import DataError, foreign_format
from generate_data.folder_contents import PassedOver, contents_of
from generate_data.labels import RAFDB, SPLIT_FOLDERS
from generate_data.readers.listing import ListedImage, Listing, image_names, subfolders

# The authors' spelling comes first.
LISTS = ("list_patition_label.txt", "list_partition_label.txt")
LIST_FOLDERS = ("", "EmoLabel", "basic/EmoLabel")
IMAGE_FOLDERS = ("Image/aligned", "basic/Image/aligned", "aligned")
SPLITS = ("train", "test")
VALID_IS_TEST = (
    "folder {} holds RAF-DB's test set (RAF-DB has no validation images), so it becomes split "
    "test; val is drawn from train."
)


def find_label_list(root: Path) -> Path | None:
    """Returns the list of labels, or None if there is none."""
    files = [root / folder / name for folder in LIST_FOLDERS for name in LISTS]
    return next((file for file in files if file.is_file()), None)


def add_listed_images(listing: Listing, file: Path) -> None:
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
