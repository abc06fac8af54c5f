"""RAF-DB as flat images with train_labels.csv and test_labels.csv (columns image and label)."""

import csv
from pathlib import Path

from generate_data.errors import DataError, foreign_format
from generate_data.folder_contents import images_below
from generate_data.labels import RAFDB, SPLIT_FOLDERS
from generate_data.readers.listing import ListedImage, Listing

ENDING = "_labels.csv"
COLUMNS = ("image", "label")


def label_files(folder: Path) -> dict[Path, str]:
    """Returns the split of each file such as train_labels.csv in a folder."""
    return {
        file: SPLIT_FOLDERS[split]
        for file in sorted(folder.glob(f"*{ENDING}"))
        if (split := file.name.removesuffix(ENDING).lower()) in SPLIT_FOLDERS
    }


def add_csv_images(listing: Listing, files: dict[Path, str]) -> None:
    """Adds the images of the files, wherever below the root they are; bad lines are problems.

    Raises:
        DataError: a file cannot be read or has other columns.
    """
    listing.form = "RAF-DB with " + " and ".join(file.name for file in files)
    places: dict[str, list[str]] = {}
    for path in images_below(listing.root, listing.passed_over):
        places.setdefault(path.rpartition("/")[2], []).append(path)
    used: set[str] = set()
    for file, split in files.items():
        listing.passed_over.remove(file)
        for number, name, label in _rows(file):
            image = _place(places.get(name.rpartition("/")[2], []), split)
            fault = _fault(label, image in used)
            if fault:
                listing.add_problem(
                    f"bad lines in {file.name}", f"line {number}, {name[:60]!r}: {fault}"
                )
            elif image is None:
                about = f"{name} of line {number}"
                listing.add_problem(f"images of {file.name} that do not exist", about)
            else:
                used.add(image)
                listing.images.append(ListedImage(image, split, RAFDB[int(label) - 1], label))
    unused = sum(map(len, places.values())) - len(used)
    if unused:
        listing.warnings.append(f"{unused} images are in none of these files.")


def _place(paths: list[str], split: str) -> str | None:
    """Returns the path of an image: the one in a folder of the split if there are several."""
    inside = [
        path
        for path in paths
        if any(SPLIT_FOLDERS.get(folder.lower()) == split for folder in path.split("/")[:-1])
    ]
    return next(iter(inside or paths), None)


def _rows(file: Path) -> list[tuple[int, str, str]]:
    """Returns line number, image and label of each row."""
    with (
        foreign_format(DataError, file, "cannot read the labels", "download it again"),
        open(file, encoding="utf-8-sig", errors="replace", newline="") as lines,
    ):
        table = csv.DictReader(lines)
        lacking = [name for name in COLUMNS if name not in (table.fieldnames or ())]
        if lacking:
            problem = f"wrong header, {', '.join(lacking)} missing, expected {','.join(COLUMNS)}"
            raise DataError(file, problem, "download it again")
        return [
            (table.line_num, (row["image"] or "").strip(), (row["label"] or "").strip())
            for row in table
            if any(row.values())
        ]


def _fault(label: str, is_used: bool) -> str:
    """Returns what is wrong with a row, or "" for a valid one."""
    if label not in map(str, range(1, len(RAFDB) + 1)):
        return f"label {label[:20]!r}, expected 1 to {len(RAFDB)}"
    return "listed twice" if is_used else ""
