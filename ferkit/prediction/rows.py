"""Predictions as rows.

One a face, and one for every input without any; as CSV and JSON, written as they come.
"""

import contextlib
import csv
import json
from pathlib import Path
from typing import Self

from ferkit.files import written_atomically
from ferkit.recognition.recognizer import Expression

OK, NO_FACE, UNREADABLE = "ok", "no_face", "unreadable"


def face_row(
    source: Path | str,
    expression: Expression,
    frame: int | None = None,
    time: float | None = None,
    face: int | None = None,
) -> dict:
    """The row of a face.

    Source, frame and time in s (of a video), the face's number, box, score, probabilities, label.
    """
    return {
        "source": str(source),
        "frame": frame,
        "time": None if time is None else round(time, 3),
        "face": face,
        "box": [round(edge, 1) for edge in expression.box],
        "score": round(expression.score, 4),
        "probabilities": {name: round(p, 5) for name, p in expression.probabilities.items()},
        "label": expression.label,
        "status": OK,
    }


def empty_row(
    source: Path | str,
    status: str,
    frame: int | None = None,
    time: float | None = None,
    reason: str | None = None,
) -> dict:
    """The row of an input, or of a frame, that gave no face."""
    row = {
        "source": str(source),
        "frame": frame,
        "time": None if time is None else round(time, 3),
        "face": None,
        "box": None,
    }
    row |= {"score": None, "probabilities": None, "label": None, "status": status}
    return row | ({"reason": reason} if reason else {})


class RowWriter:
    """Writes rows to a CSV and a JSON file, either of which may be None. They appear when the block
    ends well, or never.

    Example:
        >>> with RowWriter("faces.csv", None, class_names) as rows:
        ...     rows.write(face_row("photo.jpg", expression))
    """

    def __init__(
        self,
        csv_file: str | Path | None,
        json_file: str | Path | None,
        class_names: tuple[str, ...],
    ) -> None:
        self._files, self._classes, self._stack = (
            (csv_file, json_file),
            tuple(class_names),
            contextlib.ExitStack(),
        )
        self._csv = self._json = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            csv_file, json_file = self._files
            if csv_file:
                out = stack.enter_context(
                    open(
                        stack.enter_context(written_atomically(csv_file)),
                        "w",
                        newline="",
                        encoding="utf-8",
                    )
                )
                self._csv = csv.writer(out)
                self._csv.writerow(self.columns)
            if json_file:
                self._json = stack.enter_context(
                    open(stack.enter_context(written_atomically(json_file)), "w", encoding="utf-8")
                )
                self._json.write("[")
                self._first = True
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: None, error: None, trace: None) -> bool:
        if self._json and kind is None:
            self._json.write("\n]\n")
        return self._stack.__exit__(kind, error, trace)

    @property
    def columns(self) -> list[str]:
        """Of the CSV."""
        box = ["left", "top", "right", "bottom"]
        return ["source", "frame", "time", "face", *box, "score", *self._classes, "label", "status"]

    def write(self, row: dict) -> None:
        if self._csv:
            box, named = (
                row["box"] or [None] * 4,
                row["probabilities"] or dict.fromkeys(self._classes),
            )
            start = [row[key] for key in ("source", "frame", "time", "face")]
            self._csv.writerow(
                [*start, *box, row["score"], *named.values(), row["label"], row["status"]]
            )
        if self._json:
            self._json.write(("\n " if self._first else ",\n ") + json.dumps(row))
            self._first = False
