"""The reader of FER+: the votes of ten annotators for each face of FER2013, joined by row order.

Kaggle's files have no names of images, so that order is all there is. Two checks guard it: the
image names of the FER+ file count up, and the votes agree with the labels as often as is usual.
"""

import csv
import itertools
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from generate_data.errors import DataError, foreign_format
from generate_data.labels import CLASS_NAMES, CONTEMPT, FERPLUS, USAGES
from generate_data.rows import Rows

VOTE_NAMES = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
MATCHING_FILE = "use the fer2013new.csv that belongs to this download"
# The label that each kind of votes stands for; contempt, unknown and NF (no face) have none.
_VOTED_LABELS = [CLASS_NAMES.index(name) for name in FERPLUS if name != CONTEMPT]
# The label with most votes is the label of 63 % of FER2013's rows, and of 57 % or more of any 500
# rows in order; of 18 % once the rows are in another order.
LOWEST_AGREEMENT = 0.4
CHECKED_ROWS = 500
FEWEST_ROWS = 100  # fewer rows agree by chance
_MOST_STEPS_BACK = 0.01  # share of image names that are out of order; in the published file 3 are
_LONGEST_NUMBER = 4  # digits
_COLUMNS = ["usage", "image name", *(name.lower() for name in VOTE_NAMES)]


def read_votes(path: Path) -> dict[str, list[str]]:
    """Reads votes such as "4;0;0;1;3;2;0;0;0;0" for each Usage, in the order of the file.

    The votes of a row are in the order of `VOTE_NAMES`.

    Raises:
        DataError: the file is missing, is not a FER+ file, has a wrong row, or its rows are in
            another order than its image names.
    """
    if path.exists() and not path.is_file():
        raise DataError(path, "not a file", "give fer2013new.csv after --ferplus")
    votes: defaultdict[str, list[str]] = defaultdict(list)
    names: list[str] = []
    try:
        with (
            foreign_format(
                DataError, path, "not a FER+ file", "give fer2013new.csv after --ferplus"
            ),
            open(path, newline="", encoding="utf-8-sig") as file,
        ):
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            if header != _COLUMNS:
                raise DataError(
                    path,
                    f"not a FER+ file: header {','.join(header)[:60]!r}, "
                    f"expected Usage,Image name,{','.join(VOTE_NAMES)}",
                    "get fer2013new.csv from github.com/microsoft/FERPlus",
                )
            for row in reader:
                usage, line = _parse_votes(row, f"{path} line {reader.line_num}")
                votes[usage].append(line)
                names.append(row[1].strip())
    except DataError as error:
        if isinstance(error.__cause__, OSError):
            problem = f"cannot read the FER+ votes: {error.__cause__.strerror}"
            raise DataError(path, problem, "check the path after --ferplus") from None
        raise
    _check_order(path, [name for name in names if name])
    return dict(votes)


def _check_order(path: Path, names: list[str]) -> None:
    """Raises DataError if the names, such as fer0000012.png, do not count up; removed have none."""
    back = [later for earlier, later in itertools.pairwise(names) if later <= earlier]
    if len(back) > 3 + _MOST_STEPS_BACK * len(names):
        problem = f"its rows are in another order than its image names, the first: {back[0]}"
        raise DataError(path, problem, "use the file as it was published")


def _parse_votes(row: list[str], where: str) -> tuple[str, str]:
    """Returns the Usage and the votes of one row of a FER+ file."""
    usage = row[0].strip() if row else ""
    counts = [field.strip() for field in row[2:]]
    if usage not in USAGES or len(counts) != len(VOTE_NAMES) or not all(map(_is_number, counts)):
        raise DataError(
            where,
            f"received {','.join(row)[:60]!r}, expected a Usage, an image name and "
            f"{len(VOTE_NAMES)} numbers of votes",
            "download the file again",
        )
    return usage, ";".join(str(int(count)) for count in counts)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER


def join_votes(rows: Rows, path: Path) -> np.ndarray:
    """Returns the votes of each row of `rows`.

    Rows are joined in the order of each Usage, so a FER+ file with PrivateTest fits data without
    it. train.csv is Training; test.csv is PublicTest followed by PrivateTest.

    Raises:
        DataError: the file cannot be read, its number of rows differs, or its votes do not belong
            to the labels: the rows of one of the files are in another order.
    """
    votes = read_votes(path)
    if not rows.usages:
        problem = "FER+ votes are joined by row, and class folders have lost the order of rows"
        raise DataError(path, problem, "use the CSV file")
    joined = np.empty(len(rows), dtype=object)
    for name, usages in rows.usages.items():
        in_file = rows.sources == name
        if any(usages):
            lines = _lines_by_usage(path, name, usages, votes)
        else:
            lines = _lines_by_split(path, name, len(usages), set(rows.splits[in_file]), votes)
        joined[in_file] = [lines[row] for row in rows.source_rows[in_file]]
        _check_agreement(path, name, rows.labels[in_file], joined[in_file])
    return joined


def _check_agreement(path: Path, name: str, labels: np.ndarray, votes: np.ndarray) -> None:
    """Raises DataError if the votes of many consecutive rows do not agree with their labels."""
    counts = np.array([line.split(";") for line in votes]).astype(int).reshape(len(votes), -1)
    counts = counts[:, : len(_VOTED_LABELS)]
    compared = np.flatnonzero((labels >= 0) & counts.any(axis=1))
    if len(compared) < FEWEST_ROWS:
        return
    agrees = np.array(_VOTED_LABELS)[counts.argmax(axis=1)] == labels
    for rows in np.array_split(compared, max(1, len(compared) // CHECKED_ROWS)):
        agreement = agrees[rows].mean()
        if agreement < LOWEST_AGREEMENT:
            raise DataError(
                path,
                f"the label with most votes is the label of only {agreement:.0%} of rows {rows[0]} "
                f"to {rows[-1]} of {name}, usually of 63 %: the rows of one of the two files are "
                "in another order",
                "use both files as they were published",
            )


def _lines_by_usage(
    path: Path, name: str, usages: list[str | None], votes: dict[str, list[str]]
) -> list[str]:
    """Returns the votes of every row of a file with a Usage column, invalid rows included."""
    for usage, count in Counter(usages).items():
        if usage is None:
            problem = f"cannot join votes to {name}: {count} of its rows have no known Usage"
            raise DataError(path, problem, "fix them first")
        voted = len(votes.get(usage, []))
        if voted != count:
            problem = f"{voted} rows of votes with Usage {usage}, and {count} such rows in {name}"
            raise DataError(path, problem, MATCHING_FILE)
    remaining = {usage: iter(lines) for usage, lines in votes.items()}
    return [next(remaining[usage]) for usage in usages if usage is not None]


def _lines_by_split(
    path: Path, name: str, count: int, splits: set[str], votes: dict[str, list[str]]
) -> list[str]:
    """Returns the votes of every row of a file without a Usage column."""
    usages = ["Training"] if splits <= {"train", "val"} else ["PublicTest", "PrivateTest"]
    lines = [line for usage in usages for line in votes.get(usage, [])]
    if len(lines) != count:
        problem = (
            f"{len(lines)} rows of votes for {' and '.join(usages)}, and {count} rows in {name}"
        )
        raise DataError(path, problem, MATCHING_FILE)
    return lines
