"""FER+ votes: ten annotators for each face of FER2013, joined to the rows by their order."""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from generate_data.errors import DataError
from generate_data.rows import USAGES, Rows

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
_COLUMNS = ["usage", "image name", *(name.lower() for name in VOTE_NAMES)]


def read_votes(path: Path) -> dict[str, list[str]]:
    """Votes such as "4;0;0;1;3;2;0;0;0;0", in the order of VOTE_NAMES, for each Usage in the order of the file.

    Raises:
        DataError: the file is missing, no FER+ file, or a row of it is wrong.
    """
    votes = defaultdict(list)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            if header != _COLUMNS:
                raise DataError(
                    f"{path}: not a FER+ file: header {','.join(header)[:60]!r}, expected Usage,Image name,"
                    f"{','.join(VOTE_NAMES)}. Get fer2013new.csv from github.com/microsoft/FERPlus."
                )
            for row in reader:
                counts = [field.strip() for field in row[2:]]
                known = row and row[0].strip() in USAGES
                if (
                    not known
                    or len(counts) != len(VOTE_NAMES)
                    or not all(count.isdigit() for count in counts)
                ):
                    raise DataError(
                        f"{path} line {reader.line_num}: received {','.join(row)[:60]!r}, expected a Usage, an image name and "
                        f"{len(VOTE_NAMES)} numbers of votes. Download the file again."
                    )
                votes[row[0].strip()].append(";".join(str(int(count)) for count in counts))
    except OSError as error:
        raise DataError(
            f"{path}: cannot read the FER+ votes: {error.strerror}. Check the path after --ferplus."
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path}: not a FER+ file ({error}). Give fer2013new.csv after --ferplus."
        ) from None
    return dict(votes)


def join_votes(rows: Rows, path: Path) -> np.ndarray:
    """The votes of each row of `rows`.

    Rows are joined in the order of each Usage, so a FER+ file with PrivateTest fits data without. train.csv is
    Training; test.csv is PublicTest and then PrivateTest.

    Raises:
        DataError: the file cannot be read, or has another number of rows; nothing is joined by guess.
    """
    votes = read_votes(path)
    if not rows.usages:
        raise DataError(
            f"{path}: FER+ votes join by row, and class folders have lost the order of rows. Use the CSV file."
        )
    joined = np.empty(len(rows), dtype=object)
    for name, usages in rows.usages.items():
        mine = rows.sources == name
        known = {usage for usage in usages if usage}
        if known:
            places, counted = [], defaultdict(int)
            for usage in usages:  # bad rows count too, or the rest would slip
                places.append((usage, counted[usage]))
                counted[usage] += 1
            _compare(path, name, counted, votes)
            joined[mine] = [votes[places[row][0]][places[row][1]] for row in rows.source_rows[mine]]
            continue
        wanted = (
            ["Training"]
            if set(rows.splits[mine]) <= {"train", "val"}
            else ["PublicTest", "PrivateTest"]
        )
        line = [vote for usage in wanted for vote in votes.get(usage, [])]
        if len(line) != len(usages):
            raise DataError(
                f"{path}: {len(line)} rows of votes for {' and '.join(wanted)}, and {len(usages)} rows in {name}. "
                "Use the fer2013new.csv that belongs to this download."
            )
        joined[mine] = [line[row] for row in rows.source_rows[mine]]
    return joined


def _compare(path: Path, name: str, counted: dict, votes: dict[str, list[str]]) -> None:
    for usage, count in counted.items():
        if usage is None:
            raise DataError(
                f"{path}: cannot join votes to {name}: {count} of its rows have no known Usage. Mend them first."
            )
        if len(votes.get(usage, [])) != count:
            raise DataError(
                f"{path}: {len(votes.get(usage, []))} rows of votes with Usage {usage}, and {count} such rows in {name}. "
                "Use the fer2013new.csv that belongs to this download."
            )
