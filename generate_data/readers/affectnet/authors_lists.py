"""AffectNet as its authors give it: training.csv and validation.csv, and photos with face boxes.

Column `expression` is the label. A face is read from the box in `face_x`, `face_y`, `face_width`
and `face_height`. The landmarks, valence and arousal are not used.
"""

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

from generate_data.errors import DataError, foreign_format
from generate_data.images.face_box import Box
from generate_data.labels import AFFECTNET
from generate_data.readers.affectnet.labels import LAST, LabelledImage, label_of_text
from generate_data.readers.listing import Listing, file_names

COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
FILES = {"training.csv": "train", "validation.csv": "test"}
LIST_FOLDERS = ("", "Manually_Annotated_file_lists")
IMAGE_FOLDERS = (
    "Manually_Annotated_Images",
    "Manually_Annotated/Manually_Annotated_Images",
    "Manually_Annotated_compressed/Manually_Annotated_Images",
    "",
)
NO_BOX = "no face box"
SAMPLE = 100  # rows whose photos are looked for


def csv_lists(folder: Path) -> dict[Path, str]:
    """Returns the split of each of AffectNet's lists in a folder; {} if it has none."""
    files = [folder / part / name for part in LIST_FOLDERS for name in FILES]
    return {file: FILES[file.name] for file in files if file.is_file()}


def read_csv_lists(listing: Listing, folder: Path, lists: dict[Path, str]) -> list[LabelledImage]:
    """Reads the rows of the lists whose label is an expression and that have a face box.

    The others are counted in `listing.skipped`; bad lines and missing images are problems.

    Raises:
        DataError: a list cannot be read, has other columns, or there are no photos.
    """
    listing.form = "AffectNet with " + " and ".join(file.name for file in lists)
    images: list[LabelledImage] = []
    for file, split in lists.items():
        base, on_disk = _image_folder(folder, file), _Files()
        for number, row in _rows(file):
            label, box = label_of_text(row["expression"]), _box(row)
            if label is None or box == () or not _is_below(row["subDirectory_filePath"]):
                listing.add_problem(f"bad lines in {file.name}", f"line {number}: {_fault(row)}")
                continue
            path = base / row["subDirectory_filePath"]
            if label < len(AFFECTNET) and not box:
                listing.skipped[NO_BOX] += 1
            elif not on_disk.has(path):
                listing.add_problem(f"images of {file.name} that do not exist", str(path))
            else:
                name = path.relative_to(listing.root).as_posix()
                images.append(LabelledImage(name, split, label, row["expression"], box or None))
    return images


class _Files:
    """Which files exist; each folder is read once, because AffectNet has 420,000 photos."""

    def __init__(self) -> None:
        self.names: dict[Path, set[str]] = {}

    def has(self, path: Path) -> bool:
        if path.parent not in self.names:
            folder = path.parent
            self.names[folder] = set(file_names(folder)) if folder.is_dir() else set()
        return path.name in self.names[path.parent]


def _rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line number and the fields of each row; validation.csv may have no header."""
    advice = "download it again"
    with (
        foreign_format(DataError, file, "cannot read the list", advice),
        open(file, encoding="utf-8-sig", errors="replace", newline="") as lines,
    ):
        reader = csv.reader(lines)
        first = next(reader, [])
        columns = tuple(name.strip() for name in first)
        if len(first) == len(COLUMNS) and label_of_text(first[6]) is not None:
            columns = COLUMNS
            yield 1, dict(zip(columns, first, strict=True))
        lacking = [name for name in (*COLUMNS[:5], COLUMNS[6]) if name not in columns]
        if lacking:
            problem = f"wrong header, {', '.join(lacking)} missing"
            raise DataError(file, problem, advice)
        for fields in reader:
            if fields:
                fields += [""] * (len(columns) - len(fields))
                yield reader.line_num, dict(zip(columns, fields, strict=False))


def _box(row: dict[str, str]) -> Box | tuple[()] | None:
    """Returns the face box, None if the row has none (NULL), or () if it is not a box."""
    texts = [row[name].strip() for name in COLUMNS[1:5]]
    if all(text.upper() in ("", "NULL", "NAN") for text in texts):
        return None
    try:
        left, top, width, height = (int(float(text)) for text in texts)
    except (ValueError, OverflowError):
        return ()
    return (left, top, width, height) if width > 0 and height > 0 else ()


def _is_below(path: str) -> bool:
    """Whether a path leads to a file below the folder of the photos."""
    return bool(path) and not path.startswith("/") and ".." not in path.split("/")


def _fault(row: dict[str, str]) -> str:
    """Says what is wrong with a row."""
    if label_of_text(row["expression"]) is None:
        return f"expression {row['expression'][:20]!r}, expected a number from 0 to {LAST}"
    if not _is_below(row["subDirectory_filePath"]):
        return f"path {row['subDirectory_filePath'][:60]!r}, expected one such as 1/0a1b.jpg"
    box = ", ".join(row[name][:20] for name in COLUMNS[1:5])
    return f"face box {box!r}, expected left, top, width and height in pixels"


def _image_folder(folder: Path, file: Path) -> Path:
    """Finds the folder that the paths of a list are relative to."""
    paths = (row["subDirectory_filePath"] for _, row in itertools.islice(_rows(file), SAMPLE))
    parts = sorted({path.split("/")[0] for path in paths if _is_below(path)})
    for name in IMAGE_FOLDERS:
        if any((folder / name / part).exists() for part in parts):
            return folder / name
    looked_for = f"{parts[0] if parts else 'none'} was looked for"
    places = ", ".join(name for name in IMAGE_FOLDERS if name)
    problem = f"{file.name} exists without its photos, {looked_for} in {places}"
    raise DataError(folder, problem, "unpack the photos into one of them")
