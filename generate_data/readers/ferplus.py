"""The reader of FER+: the votes of ten annotators for each face of FER2013, joined by row order."""

import csv
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from generate_data.errors import DataError
from generate_data.labels import USAGES
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
_COLUMNS = ["usage", "image name", *(name.lower() for name in VOTE_NAMES)]


def read_votes(path: Path) -> dict[str, list[str]]:
    """Reads votes such as "4;0;0;1;3;2;0;0;0;0" for each Usage, in the order of the file.

    The votes of a row are in the order of `VOTE_NAMES`.

    Raises:
        DataError: the file is missing, is not a FER+ file, or has a wrong row.
    """
    votes: defaultdict[str, list[str]] = defaultdict(list)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
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
    except OSError as error:
        problem = f"cannot read the FER+ votes: {error.strerror}"
        raise DataError(path, problem, "check the path after --ferplus") from None
    except (UnicodeDecodeError, csv.Error) as error:
        problem = f"not a FER+ file ({error})"
        raise DataError(path, problem, "give fer2013new.csv after --ferplus") from None
    return dict(votes)


def _parse_votes(row: list[str], where: str) -> tuple[str, str]:
    """Returns the Usage and the votes of one row of a FER+ file."""
    usage = row[0].strip() if row else ""
    counts = [field.strip() for field in row[2:]]
    if (
        usage not in USAGES
        or len(counts) != len(VOTE_NAMES)
        or not all(count.isdigit() for count in counts)
    ):
        raise DataError(
            where,
            f"received {','.join(row)[:60]!r}, expected a Usage, an image name and "
            f"{len(VOTE_NAMES)} numbers of votes",
            "download the file again",
        )
    return usage, ";".join(str(int(count)) for count in counts)


def join_votes(rows: Rows, path: Path) -> np.ndarray:
    """Returns the votes of each row of `rows`.

    Rows are joined in the order of each Usage, so a FER+ file with PrivateTest fits data without
    it. train.csv is Training; test.csv is PublicTest followed by PrivateTest.

    Raises:
        DataError: the file cannot be read, or its number of rows differs.
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
    return joined


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
