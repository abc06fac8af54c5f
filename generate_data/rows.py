"""Rows of a dataset in memory: the images with their labels and splits, and the rejected rows."""

import dataclasses
from collections import Counter

import numpy as np

from generate_data.errors import DataError
from generate_data.labels import CLASS_NAMES

SHOWN = 20  # rejected rows that a message lists
EXCEL_CELL = 32_767  # characters that a cell holds at most
CUT_OFF = f"was cut off at {EXCEL_CELL:,} characters, the most that Excel keeps in a cell"


@dataclasses.dataclass
class Rows:
    """The valid rows of one source; each array has one entry for each image.

    Args:
        images: uint8 (n, 48, 48).
        labels: int64 (n,), -1 without a label.
        splits: n names out of `labels.SPLITS`.
        sources: n names of the files that the rows come from.
        source_rows: int64 (n,), counted from 0 in that file, as pandas counts them.
        errors: one line of text for each rejected row.
        usages: for FER+, the Usage of every row of each file, valid or not, in order; None where
            it is unknown.
        warnings: messages that set-up shows.
        class_names: in the order of the labels.
    """

    images: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    sources: np.ndarray
    source_rows: np.ndarray
    errors: list[str] = dataclasses.field(default_factory=list)
    usages: dict[str, list[str | None]] = dataclasses.field(default_factory=dict)
    warnings: list[str] = dataclasses.field(default_factory=list)
    class_names: tuple[str, ...] = CLASS_NAMES

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.labels)


def join_rows(parts: list[Rows]) -> Rows:
    """Joins several `Rows` into one, in order."""
    if len(parts) == 1:
        return parts[0]
    return Rows(
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        splits=np.concatenate([part.splits for part in parts]),
        sources=np.concatenate([part.sources for part in parts]),
        source_rows=np.concatenate([part.source_rows for part in parts]),
        errors=[line for part in parts for line in part.errors],
        usages={name: usages for part in parts for name, usages in part.usages.items()},
        warnings=[line for part in parts for line in part.warnings],
        class_names=max((part.class_names for part in parts), key=len),
    )


def raise_on_errors(rows: Rows, where: str, skip: bool) -> None:
    """Raises DataError if rows were rejected or if none is left.

    Args:
        rows: what was read.
        where: the source, for the message.
        skip: rejected rows are dropped, so they are an error only if no other row is left.

    Raises:
        DataError: lists the first rejected rows.
    """
    count = len(rows.errors)
    if len(rows) and (skip or not count):
        return
    if not count:
        raise DataError(where, "no rows in it", "download the file again")
    if skip:
        problem = f"all {count} rows are bad, the first: {rows.errors[0]}"
        raise DataError(where, problem, "download the file again")
    cut = [line for line in rows.errors if CUT_OFF in line]
    if cut:
        first = cut[0].removesuffix(f": the cell {CUT_OFF}")
        problem = f"{len(cut)} of its cells: each {CUT_OFF}, the first in {first}"
        advice = "download the file again and do not save it with Excel, or drop these rows with "
        raise DataError(where, problem, f"{advice}--skip-bad-rows")
    if count == 1:
        problem = f"1 bad row: {rows.errors[0]}"
        raise DataError(where, problem, "fix the row, or drop it with --skip-bad-rows")
    shown = f"The first {SHOWN}" if count > SHOWN else "They are"
    lines = "\n".join(f"  {line}" for line in rows.errors[:SHOWN])
    advice = f"fix them, or drop them with --skip-bad-rows. {shown}:\n{lines}"
    raise DataError(where, f"{count} bad rows", advice)


def count_classes(labels: np.ndarray, class_names: tuple[str, ...]) -> dict[str, int]:
    """Counts the images of each class, in class order."""
    counts = Counter(labels.tolist())
    return {name: counts.get(index, 0) for index, name in enumerate(class_names)}
