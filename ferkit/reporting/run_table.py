"""The table of the runs in a folder: settings, status and best results of each.

It reads text files only and imports neither TensorFlow nor Matplotlib, so `runs` is quick.
"""

import collections
import datetime
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ferkit.errors import UserError, escaped, foreign_format
from ferkit.files import write_csv, write_json
from ferkit.training.history import epoch_scores, epochs_without_better
from ferkit.training.run_folder import RunFolder

FRACTIONS = ("val_accuracy", "val_accuracy_clean", "val_macro_f1")
COLUMNS = (
    *("run", "model", "recipe", "seed", "status", "best_epoch", *FRACTIONS, "val_loss"),
    *("epochs_done", "started", "commit", "dataset", "val_images_learned", "reason"),
)
TITLES = (
    *("run", "model", "recipe", "seed", "status", "best", "accuracy", "clean", "macro F1"),
    *("val loss", "epochs", "started", "commit", "dataset"),
)
LEFT_ALIGNED = ("run", "model", "recipe", "status", "started", "commit", "dataset")
LEARNED_VALIDATION = (
    "Not figures of new images, because initial weights or teachers were trained on validation "
    "images"
)
UNREADABLE = "unreadable"

Row = dict[str, Any]  # column -> value, see COLUMNS


def list_runs(folder: str | Path, sort: str = "best") -> list[Row]:
    """A row for every run in a folder and its subfolders.

    Args:
        folder: a run is a folder with a recipe.json; folders inside a run are not searched.
        sort: "best" (highest validation accuracy first, then lowest loss; runs without one last),
            "name", or "started" (newest first).

    Returns:
        Dictionaries with the keys ``COLUMNS``. Figures are those of the run's best epoch,
        fractions in [0, 1]; unknown values are None. ``status`` is "finished", "stopped early",
        "epoch 7 of 40", "not begun", or "unreadable" with a ``reason``.

    Raises:
        UserError: the folder does not exist or contains no run.
    """
    folder = Path(folder)
    if not folder.is_dir():
        advice = "name the folder that contains your runs, or train first: python main.py train"
        raise UserError(folder, "no such folder", advice)
    rows = [_row(path, folder) for path in _run_folders(folder)]
    if not rows:
        advice = "train one with --run, or name another folder"
        raise UserError(folder, "contains no run (no recipe.json)", advice)
    rows.sort(key=lambda row: row["run"])
    if sort == "best":
        rows.sort(key=_rank)
    elif sort == "started":
        rows.sort(key=_start_time, reverse=True)
    return rows


def read_files(folder: str | Path) -> list[Path]:
    """The files of the runs in a folder that ``list_runs`` reads."""
    runs = map(RunFolder, _run_folders(Path(folder)))
    return [file for run in runs for file in (run.recipe_file, run.history_file)]


def format_run_table(rows: Sequence[Row]) -> str:
    """The rows as a table for the terminal, with notes on how to read it."""
    lines = [TITLES, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(map(_aligned, line, TITLES, widths)).rstrip() for line in lines]
    learned = ", ".join(row["run"] for row in rows if row["val_images_learned"])
    with_changes = any((row["commit"] or "").endswith("+") for row in rows)
    statuses = collections.Counter(
        "unfinished" if row["status"].startswith("epoch ") else row["status"] for row in rows
    )
    counts = ", ".join(f"{count} {status}" for status, count in statuses.items())
    notes = [
        f"{len(rows)} run{'s' * (len(rows) > 1)}: {counts}.",
        "Figures are those of the validation split at each run's best epoch; clean: without "
        "duplicates of train images.",
        *([f"{LEARNED_VALIDATION}: {learned}."] if learned else []),
        *(["A + after the commit: files had been changed since it."] if with_changes else []),
        *(f"Unreadable: {escaped(row['run'])}: {row['reason']}" for row in rows if row["reason"]),
    ]
    return "\n".join([*table, "", *notes])


def _aligned(cell: str, title: str, width: int) -> str:
    return cell.ljust(width) if title in LEFT_ALIGNED else cell.rjust(width)


def write_runs_csv(path: str | Path, rows: Sequence[Row]) -> None:
    """Write the rows as CSV, with a header; None is an empty cell."""
    write_csv(path, rows)


def write_runs_json(path: str | Path, rows: Sequence[Row]) -> None:
    """Write the rows as a JSON list of objects."""
    write_json(path, rows)


def _run_folders(folder: Path) -> Iterator[Path]:
    for path, subfolders, files in os.walk(folder):
        if "recipe.json" in files:
            subfolders.clear()  # folders inside a run belong to the run
            yield Path(path)
        subfolders.sort()


def _row(path: Path, folder: Path) -> Row:
    name = path.name or str(path) if path == folder else path.relative_to(folder).as_posix()
    row = dict.fromkeys(COLUMNS) | {"run": name, "status": UNREADABLE, "reason": ""}
    try:
        with foreign_format(UserError, "recipe.json or history.csv", "damaged"):
            return row | _read_run(RunFolder(path))
    except UserError as error:
        return row | {"reason": str(error)}


def _read_run(run: RunFolder) -> Row:
    """The columns of a run, without the checks of ``Recipe``: other versions are listed too."""
    record = run.record()
    recipe, made_with = record["recipe"], record.get("made_with", {})
    history = run.history()
    row: Row = {
        "model": recipe["model"],
        "recipe": recipe["name"],
        "seed": recipe.get("seed"),
        "status": _status(recipe, history),
        "epochs_done": len(history),
        "started": made_with.get("started"),
        "commit": _short_commit(made_with.get("commit")),
        "dataset": str(record["dataset"]["folder"]) if record.get("dataset") else None,
        "val_images_learned": run.val_images_learned(),
    }
    if history:
        best = run.best_epoch(history)
        row["best_epoch"] = int(best["epoch"])
        row |= {key: _number(best.get(key)) for key in (*FRACTIONS, "val_loss")}
    return row


def _status(recipe: dict[str, Any], history: list[dict[str, str]]) -> str:
    done, epochs = len(history), int(recipe["epochs"])
    if not done:
        return "not begun"
    if done >= epochs:
        return "finished"
    patience = recipe.get("early_stopping", 0)
    if patience and epochs_without_better(epoch_scores(history)) >= patience:
        return "stopped early"
    return f"epoch {done} of {epochs}"


def _number(text: str | None) -> float | None:
    """None for a value that is missing, empty or not finite."""
    value = float(text) if text else math.nan
    return value if math.isfinite(value) else None


def _short_commit(commit: str | None) -> str | None:
    """The first seven digits, and a + if files differed from the commit."""
    return commit and commit[:7] + "+" * commit.endswith("+changes")


def _rank(row: Row) -> tuple[bool, int, float, float]:
    if row["val_accuracy"] is None:
        return row["status"] == UNREADABLE, 1, 0.0, 0.0
    return False, 0, -row["val_accuracy"], math.inf if row["val_loss"] is None else row["val_loss"]


def _start_time(row: Row) -> float:
    try:
        return datetime.datetime.strptime(row["started"], "%Y-%m-%d %H:%M:%S %z").timestamp()
    except (TypeError, ValueError):
        return -math.inf


def _cells(row: Row) -> tuple[str, ...]:
    def cell(key: str, form: str = "{}") -> str:
        return "-" if row[key] is None else escaped(form.format(row[key]))

    cells = [cell(key) for key in ("run", "model", "recipe", "seed", "status", "best_epoch")]
    cells += [cell(key, "{:.2%}") for key in FRACTIONS]
    started = "-" if row["started"] is None else str(row["started"])[:16]
    cells += [cell("val_loss", "{:.4f}"), cell("epochs_done"), started, cell("commit")]
    # The CSV and JSON tables have the whole path.
    return (*cells, "-" if row["dataset"] is None else escaped(Path(row["dataset"]).name))
