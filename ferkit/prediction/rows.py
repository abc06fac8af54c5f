"""Writes predictions as rows of CSV and JSON: one for each face, and one for inputs without any."""

import contextlib
import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from ferkit.files import written_atomically
from ferkit.recognition.recognizer import Expression

Row = dict[str, Any]

OK, UNSURE, NO_FACE, UNREADABLE = "ok", "unsure", "no_face", "unreadable"
BOX = ("left", "top", "right", "bottom")


def face_row(
    source: Path | str,
    expression: Expression,
    frame: int | None = None,
    time: float | None = None,
    face: int | None = None,
) -> Row:
    """The row of a face.

    Args:
        source: the file, or "camera N".
        expression: the predicted expression.
        frame: number of the frame in a video, from 0.
        time: time of the frame in seconds.
        face: number of the face in the photo, or of the tracked face in a video, from 1.
    """
    # Without a maximum error that the user asked for, each face is "ok".
    is_doubted = expression.threshold is not None and expression.is_unsure
    return {
        "source": str(source),
        "frame": frame,
        "time": None if time is None else round(time, 3),
        "face": face,
        "box": [round(edge, 1) for edge in expression.box],
        "score": round(expression.score, 4),
        "probabilities": {name: round(p, 5) for name, p in expression.probabilities.items()},
        "label": expression.label,
        "status": UNSURE if is_doubted else OK,
    }


def empty_row(
    source: Path | str,
    status: str,
    frame: int | None = None,
    time: float | None = None,
    reason: str | None = None,
) -> Row:
    """The row of an input or frame without a face.

    Args:
        source: the file, or "camera N".
        status: NO_FACE or UNREADABLE.
        frame: number of the frame in a video, from 0.
        time: time of the frame in seconds.
        reason: why it could not be read.
    """
    row = {
        "source": str(source),
        "frame": frame,
        "time": None if time is None else round(time, 3),
        "face": None,
        "box": None,
        "score": None,
        "probabilities": None,
        "label": None,
        "status": status,
    }
    return row | ({"reason": reason} if reason else {})


def columns(class_names: Sequence[str]) -> list[str]:
    """The columns of the table of results."""
    return ["source", "frame", "time", "face", *BOX, "score", *class_names, "label", "status"]


def cells(row: Row, class_names: Sequence[str]) -> list[Any]:
    """A row of ``face_row`` or ``empty_row`` as the cells of ``columns``; None: empty."""
    box = row["box"] or [None] * len(BOX)
    probabilities = row["probabilities"] or {}
    start = [row[key] for key in ("source", "frame", "time", "face")]
    of_classes = [probabilities.get(name) for name in class_names]
    return [*start, *box, row["score"], *of_classes, row["label"], row["status"]]


class RowWriter:
    """Writes rows to a CSV and a JSON file as they come.

    Both files are complete or absent: they appear when the ``with`` block succeeds.

    Args:
        csv_file: the CSV file; None: none.
        json_file: the JSON file; None: none.
        class_names: names of the classes, in the order of the columns.

    Example:
        >>> with RowWriter("faces.csv", None, class_names) as rows:
        ...     rows.write(face_row("photo.jpg", expression))
    """

    def __init__(
        self,
        csv_file: str | Path | None,
        json_file: str | Path | None,
        class_names: Sequence[str],
    ) -> None:
        self._csv_file, self._json_file = csv_file, json_file
        self._class_names = tuple(class_names)
        self._stack = contextlib.ExitStack()
        self._write_csv_row: Callable[[Sequence[Any]], Any] | None = None
        self._json: TextIO | None = None
        self._json_separator = "\n "

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            if self._csv_file:
                draft = stack.enter_context(written_atomically(self._csv_file))
                # Bytes of a file name that are not UTF-8 are written as escapes.
                out = stack.enter_context(
                    open(draft, "w", newline="", encoding="utf-8", errors="backslashreplace")
                )
                self._write_csv_row = csv.writer(out).writerow
                self._write_csv_row(columns(self._class_names))
            if self._json_file:
                draft = stack.enter_context(written_atomically(self._json_file))
                self._json = stack.enter_context(open(draft, "w", encoding="utf-8"))
                self._json.write("[")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        if self._json and kind is None:
            self._json.write("\n]\n")
        return self._stack.__exit__(kind, error, trace)

    def write(self, row: Row) -> None:
        """Write a row of ``face_row`` or ``empty_row``."""
        if self._write_csv_row:
            self._write_csv_row(cells(row, self._class_names))
        if self._json:
            self._json.write(self._json_separator + json.dumps(row))
            self._json_separator = ",\n "
