"""What the readers hand to set-up: images with what is known about each, and the rows that were no good."""

import dataclasses
from collections import Counter

import numpy as np

from generate_data.errors import DataError

CLASS_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SPLITS = ("train", "val", "test", "unlabelled")
USAGES = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
SHOWN = 20


@dataclasses.dataclass
class Rows:
    """Rows of one source, good ones only; each array has one entry for each image.

    Args:
        images: uint8 (n, 48, 48).
        labels: int64 (n,), -1 without a label.
        splits: n names out of SPLITS.
        sources: n names of the files that the rows come from.
        source_rows: int64 (n,), counted from 0 in that file; as pandas would count them.
        errors: a line of text for each row that was refused.
        usages: for FER+, the Usage of every row of each file, good or bad, in order; None where it is unknown.
    """

    images: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    sources: np.ndarray
    source_rows: np.ndarray
    errors: list[str] = dataclasses.field(default_factory=list)
    usages: dict[str, list] = dataclasses.field(default_factory=dict)
    warnings: list[str] = dataclasses.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.labels)


def join_rows(parts: list[Rows]) -> Rows:
    """One Rows of several, in order."""
    if len(parts) == 1:
        return parts[0]
    names = ("images", "labels", "splits", "sources", "source_rows")
    return Rows(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in names),
        errors=[line for part in parts for line in part.errors],
        usages={name: usages for part in parts for name, usages in part.usages.items()},
        warnings=[line for part in parts for line in part.warnings],
    )


def raise_on_errors(rows: Rows, where: str, skip: bool) -> None:
    """Raises DataError that lists the bad rows, unless they are to be skipped."""
    if not rows.errors:
        if not len(rows):
            raise DataError(f"{where}: no rows in it. Download the file again.")
        return
    count = len(rows.errors)
    if skip:
        if not len(rows):
            raise DataError(
                f"{where}: all {count} rows are bad, the first: {rows.errors[0]}. Download the file again."
            )
        return
    if count == 1:
        raise DataError(f"{rows.errors[0]}. Mend the row, or drop it with --skip-bad-rows.")
    lines = [
        f"{where}: {count} bad rows. Mend them, or drop them with --skip-bad-rows. {_first(count)}:"
    ]
    lines += [f"  {line}" for line in rows.errors[:SHOWN]]
    raise DataError("\n".join(lines))


def _first(count: int) -> str:
    return f"The first {SHOWN}" if count > SHOWN else "They are"


def count_classes(labels: np.ndarray, class_names: tuple[str, ...]) -> dict[str, int]:
    """Images for each class name, in class order."""
    counts = Counter(labels.tolist())
    return {name: counts.get(index, 0) for index, name in enumerate(class_names)}
