"""The reader of FERPlus' own output: FER2013Train, FER2013Valid and FER2013Test with label.csv.

A line of label.csv has the name of an image, the box of the face, which is the whole image, and the
number of votes for each of `VOTE_NAMES`. The label is the class with most votes, the first of equal
ones; images with most votes for "unknown" or "no face" are skipped.
"""

import csv
from pathlib import Path

from generate_data.errors import DataError, foreign_format
from generate_data.folder_contents import PassedOver
from generate_data.labels import CLASS_ORDER, FERPLUS, FERPLUS_FOLDERS, FERPLUS_SKIPPED
from generate_data.readers.ferplus import VOTE_NAMES
from generate_data.readers.listing import (
    ListedImage,
    Listing,
    existing_root,
    image_names,
    subfolders,
)

LABELS = "label.csv"
_LONGEST_NUMBER = 4  # digits


def find_ferplus_folders(root: Path) -> dict[str, Path]:
    """Returns the folders of FERPlus' output in a folder, or in a folder in it, by split."""
    inside = subfolders(root)
    for candidate in (inside, *(subfolders(path) for path in inside.values())):
        found = {
            split: candidate[name]
            for name, split in FERPLUS_FOLDERS.items()
            if name in candidate and (candidate[name] / LABELS).is_file()
        }
        if found:
            return found
    return {}


def list_ferplus_folders(source: str | Path) -> Listing:
    """Lists the images of FERPlus' output, with their votes.

    Args:
        source: the folder with FER2013Train, FER2013Valid and FER2013Test, or that above it.

    Raises:
        DataError: the source is no folder, or a folder in it has no images.
    """
    root = existing_root(source)
    listing = Listing(root, "ferplus", f"FER+ by {LABELS}", class_names=CLASS_ORDER)
    for split, folder in find_ferplus_folders(root).items():
        _add_folder(listing, split, folder)
    listing.images.sort(key=lambda image: image.path)
    return listing


def _add_folder(listing: Listing, split: str, folder: Path) -> None:
    passed_over = PassedOver()
    names = set(image_names(folder, passed_over))
    for kind, paths in passed_over.paths.items():
        for path in paths:
            if Path(path).name != LABELS:
                listing.passed_over.add(kind, path)
    if not names:
        advice = "write them with FERPlus' src/generate_training_data.py"
        raise DataError(folder, f"{LABELS}, but no images", advice)
    seen: set[str] = set()
    for number, fields in _lines(folder / LABELS):
        fault = _fault(fields, names, seen)
        if fault:
            about = f"{folder / LABELS} line {number}, {','.join(fields)[:60]!r}: {fault}"
            listing.add_problem(f"bad lines in {LABELS}", about)
            continue
        seen.add(fields[0])
        votes = [int(text) for text in fields[-len(VOTE_NAMES) :]]
        name, voted = _most_votes(votes)
        if name is None:
            listing.skipped[voted] += 1
        image = (folder / fields[0]).relative_to(listing.root).as_posix()
        text = ";".join(map(str, votes))
        listing.images.append(ListedImage(image, split, name, voted, votes=text))
    if len(names) > len(seen):
        listing.warnings.append(f"{len(names - seen)} images in {folder} are not in {LABELS}.")


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Returns the fields of each line that is not blank, and its number."""
    advice = "download it again from github.com/microsoft/FERPlus"
    with (
        foreign_format(DataError, path, "cannot be read as a CSV file", advice),
        open(path, newline="", encoding="utf-8-sig") as file,
    ):
        rows = [[field.strip() for field in row] for row in csv.reader(file)]
    return [(number, row) for number, row in enumerate(rows, 1) if any(row)]


def _fault(fields: list[str], names: set[str], seen: set[str]) -> str:
    """Returns what is wrong with a line, or "" for a valid line."""
    votes = fields[-len(VOTE_NAMES) :]
    if len(fields) <= len(VOTE_NAMES) or not all(map(_is_number, votes)):
        return f"expected an image, a box and {len(VOTE_NAMES)} numbers of votes"
    if fields[0] not in names:
        return "the image does not exist"
    return "listed twice" if fields[0] in seen else ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER


def _most_votes(votes: list[int]) -> tuple[str | None, str]:
    """Returns the class with most votes, None if it is not an expression, and its FER+ name."""
    most = votes.index(max(votes))
    if not votes[most]:
        return None, "no votes"
    if most >= len(FERPLUS):
        return None, FERPLUS_SKIPPED[most - len(FERPLUS)]
    return FERPLUS[most], VOTE_NAMES[most]
