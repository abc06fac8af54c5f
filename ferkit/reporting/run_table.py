"""Every run below a folder, side by side.

What it is, how far it got and what it reached. Reads text files only.
"""

import collections
import csv
import datetime
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ferkit.errors import UserError
from ferkit.files import write_csv, written_atomically
from ferkit.training.history import epoch_scores, epochs_without_better
from ferkit.training.run_folder import RunFolder

SORTS = ("best", "name", "started")
SHARES = ("val_accuracy", "val_accuracy_clean", "val_macro_f1")
COLUMNS = ("run", "model", "recipe", "seed", "status", "best_epoch", *SHARES, "val_loss")
COLUMNS += ("epochs_done", "started", "commit", "reason")
TITLES = (
    "run",
    "model",
    "recipe",
    "seed",
    "status",
    "best",
    "accuracy",
    "clean",
    "macro F1",
    "val loss",
)
TITLES += ("epochs", "started", "commit")
LEFT = ("run", "model", "recipe", "status", "started", "commit")
UNREADABLE = "unreadable"


def list_runs(folder: str | Path, sort: str = "best") -> list[dict]:
    """A row for every run below a folder.

    Args:
        folder: a run is any folder within, or this one, that holds a recipe.json; what lies in a
            run is not searched.
        sort: "best" (highest validation accuracy first, then lowest loss; runs without one last),
            "name", or "started" (newest first).

    Returns:
        Dictionaries with the keys ``COLUMNS``. Figures are those of the run's best epoch, shares in
        [0, 1]; what is not known is None. ``status`` is "finished", "stopped early", "epoch 7 of
        40", "not begun", or "unreadable" with a ``reason``.

    Raises:
        UserError: no such folder, or no run in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; name the one that holds your runs, or train first: python main.py train."
        )
    rows = [_row(path, folder) for path in _run_folders(folder)]
    if not rows:
        raise UserError(
            f"{folder}: no run below it (no recipe.json); train one with --run, or name another folder."
        )
    rows.sort(key=lambda row: row["run"])
    if sort == "best":
        rows.sort(key=_rank)
    elif sort == "started":
        rows.sort(key=_time, reverse=True)
    return rows


def format_run_table(rows: list[dict]) -> str:
    """The rows as a table for the screen, and what one must know to read it."""
    lines = [TITLES, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(map(_aligned, line, TITLES, widths)).rstrip() for line in lines]
    with_changes = any((row["commit"] or "").endswith("+") for row in rows)
    kinds = collections.Counter(
        "unfinished" if row["status"].startswith("epoch ") else row["status"] for row in rows
    )
    notes = [
        f"{len(rows)} run{'s' * (len(rows) > 1)}: "
        + ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        + ".",
        "Figures of the validation split at each run's best epoch; clean: without images that copy a train image.",
        *(["+ behind a commit: files had been changed since it."] if with_changes else []),
        *(f"Unreadable: {row['run']}: {row['reason']}" for row in rows if row["reason"]),
    ]
    return "\n".join([*table, "", *notes])


def _aligned(cell: str, title: str, width: int) -> str:
    return cell.ljust(width) if title in LEFT else cell.rjust(width)


def write_runs_csv(path: str | Path, rows: list[dict]) -> None:
    """The rows as CSV: a header, then a line for each; nothing stands for None."""
    write_csv(path, rows)


def write_runs_json(path: str | Path, rows: list[dict]) -> None:
    """The rows as a JSON list of objects."""
    with written_atomically(path) as draft:
        draft.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


# ---- one run


def _run_folders(folder: Path) -> Iterator[Path]:
    for path, inner, files in os.walk(folder):
        if "recipe.json" in files:
            inner.clear()  # what lies in a run folder is the run's own
            yield Path(path)
        inner.sort()


def _row(path: Path, folder: Path) -> dict[str, str | float | None]:
    name = path.name or str(path) if path == folder else path.relative_to(folder).as_posix()
    row = dict.fromkeys(COLUMNS) | {"run": name, "status": UNREADABLE, "reason": ""}
    try:
        return row | _described(RunFolder(path))
    except (
        UserError,
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        csv.Error,
    ) as error:
        reason = (
            str(error)
            if isinstance(error, UserError)
            else f"recipe.json or history.csv is damaged ({_words(error)})"
        )
        return row | {"reason": reason}


def _words(error: TypeError) -> str:
    return f"no {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"


def _described(run: RunFolder) -> dict[str, str | float | None]:
    """Without the checks of ``Recipe``: a run that another version made is listed as well."""
    record = run.record()
    recipe, made = record["recipe"], record.get("made_with", {})
    history = run.history()
    row = {"model": recipe["model"], "recipe": recipe["name"], "seed": recipe.get("seed")}
    row |= {"status": _status(recipe, history), "epochs_done": len(history)}
    row |= {"started": made.get("started"), "commit": _short(made.get("commit"))}
    if history:
        best = run.best_epoch(history)
        row |= {
            "best_epoch": int(best["epoch"]),
            **{key: _number(best.get(key)) for key in (*SHARES, "val_loss")},
        }
    return row


def _status(recipe: dict[str, str | int], history: list[dict[str, Any]]) -> str:
    done, epochs = len(history), int(recipe["epochs"])
    if not done:
        return "not begun"
    if done >= epochs:
        return "finished"
    patience = recipe.get("early_stopping", 0)
    if patience and epochs_without_better(epoch_scores(history)) >= patience:
        return "stopped early"
    return f"epoch {done} of {epochs}"


def _number(text: str) -> float | None:
    """None for what is absent, empty or not finite."""
    value = float(text) if text else math.nan
    return value if math.isfinite(value) else None


def _short(commit: str | None) -> str | None:
    """The first seven digits, and a + when files differed from the commit."""
    return commit and commit[:7] + "+" * commit.endswith("+changes")


# ---- order and table


def _rank(row: dict[str, str | float | None]) -> tuple[bool, int, float, float]:
    if row["val_accuracy"] is None:
        return row["status"] == UNREADABLE, 1, 0.0, 0.0
    return False, 0, -row["val_accuracy"], math.inf if row["val_loss"] is None else row["val_loss"]


def _time(row: dict[str, str | float | None]) -> float:
    try:
        return datetime.datetime.strptime(row["started"], "%Y-%m-%d %H:%M:%S %z").timestamp()
    except (TypeError, ValueError):
        return -math.inf


def _cells(row: dict[str, str | float | None]) -> tuple[str, ...]:
    def text(key, form="{}"):
        return "-" if row[key] is None else form.format(row[key])

    cells = [text(key) for key in ("run", "model", "recipe", "seed", "status", "best_epoch")]
    cells += [text(key, "{:.2%}") for key in SHARES]
    started = "-" if row["started"] is None else str(row["started"])[:16]
    return (*cells, text("val_loss", "{:.4f}"), text("epochs_done"), started, text("commit"))
