"""A run folder: recipe.json, history.csv, best.keras, last.keras, backup/ and report/.

Every file in it is complete or absent.
"""

import csv
import datetime
import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ferkit.errors import UserError, foreign_format
from ferkit.files import (
    DRAFT,
    exclusive_lock,
    remove_partial_files,
    write_csv,
    write_json,
    written_atomically,
)
from ferkit.models.interface import merged
from ferkit.provenance import provenance
from ferkit.recipes.recipe import Recipe
from ferkit.training.checkpoints import Checkpoints
from ferkit.training.history import epoch_scores, is_finished

if TYPE_CHECKING:
    import keras

RUNS = Path("runs")


class RunFolder:
    """All files of one training.

    Example:
        >>> run = RunFolder.create("runs/first", recipe, {"folder": "data"})
        >>> run.best
        PosixPath('runs/first/best.keras')
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.recipe_file = self.path / "recipe.json"
        self.history_file = self.path / "history.csv"
        self.best = self.path / "best.keras"
        self.last = self.path / "last.keras"
        self.checkpoints = Checkpoints(self.path / "backup")
        self.teacher_predictions = self.path / "backup" / "teachers.npz"
        self.report = self.path / "report"

    @classmethod
    def create(cls, path: str | Path | None, recipe: Recipe, dataset: dict[str, Any]) -> Self:
        """A new run folder; `path` None is runs/<date-time>-<model>.

        Raises:
            UserError: the folder contains a run or other files, or cannot be written.
        """
        run = cls(path or cls._free_default(recipe.model))
        if run.recipe_file.exists():
            advice = "add --resume to continue it, or choose another --run"
            raise UserError(run.path, "already contains a run", advice)
        if run.path.exists() and (
            not run.path.is_dir()
            or any(not DRAFT.match(entry.name) for entry in run.path.iterdir())
        ):
            raise UserError(run.path, "exists and is not a run folder", "choose another --run")
        record = {
            "recipe": json.loads(recipe.to_json()),
            "dataset": dataset,
            "made_with": provenance(),
        }
        run._write_record(record)
        return run

    def _write_record(self, record: dict[str, Any]) -> None:
        write_json(self.recipe_file, record)

    @property
    def exists(self) -> bool:
        """Whether a run was started here."""
        return self.recipe_file.is_file()

    def prepare_resume(self, recipe: Recipe) -> None:
        """Before a resume: remove partial files, and record a changed number of epochs."""
        remove_partial_files(self.path)
        record, values = self.record(), json.loads(recipe.to_json())
        changes = {
            key: value for key, value in values.items() if record["recipe"].get(key, value) != value
        }
        if changes:
            position = self.checkpoints.position()
            record.setdefault("continued", []).append(
                {"after_epoch": position["epoch"] if position else 0, **changes}
            )
            record["recipe"] |= changes
            self._write_record(record)

    def lock(self) -> AbstractContextManager[None]:
        """In this context, no other process can train in this folder."""
        problem = "another process is training in this folder"
        error = UserError(self.path, problem, "wait for it, or stop it")
        return exclusive_lock(self.path / "backup", error)

    def finished(self, recipe: Recipe) -> bool:
        """Whether the run has reached the end of that recipe, and all its files exist."""
        position = self.checkpoints.position()
        if position is None or not is_finished(
            recipe, position["epoch"], position["step"], position["history"]
        ):
            return False
        return all(
            path.exists()
            for path in (self.best, self.last, self.history_file, self.report / "index.html")
        )

    @classmethod
    def existing(cls, path: str | Path) -> Self:
        """An existing run.

        Raises:
            UserError: the folder contains no run.
        """
        run = cls(path)
        if not run.recipe_file.is_file():
            advice = "give the folder that train printed with --run"
            raise UserError(run.path, "contains no run (no recipe.json)", advice)
        return run

    @classmethod
    def newest(cls, model: str | None = None) -> Self | None:
        """The run in runs/ that was changed last, of that model if given; None if there is none.

        With a model, runs whose recipe cannot be read are left out.
        """
        runs = [cls(file.parent) for file in RUNS.glob("*/recipe.json") if file.is_file()]
        if model:
            runs = [run for run in runs if run._is_of(model)]
        # lstat: a link among the files may lead nowhere.
        return max(
            runs,
            key=lambda run: max(file.lstat().st_mtime for file in run.path.iterdir()),
            default=None,
        )

    def _is_of(self, model: str) -> bool:
        try:
            return self.recipe().model == model
        except UserError:
            return False

    @classmethod
    def newest_existing(cls, model: str | None = None) -> Self:
        """``newest``, which must exist.

        Raises:
            UserError: there is no run.
        """
        run = cls.newest(model)
        if run is None:
            problem = f"contains no run{f' of model {model}' if model else ''}"
            raise UserError(RUNS, problem, "train one first, or name its folder with --run")
        return run

    @staticmethod
    def _free_default(model: str) -> Path:
        stem = f"{datetime.datetime.now():%Y-%m-%d_%H-%M-%S}-{model}"
        paths = [RUNS / stem, *(RUNS / f"{stem}-{k}" for k in range(2, 100))]
        return next(path for path in paths if not path.exists())

    def record(self) -> dict[str, Any]:
        """The content of recipe.json.

        Raises:
            UserError: it cannot be read.
        """
        advice = "restore it or start a new run"
        with foreign_format(UserError, self.recipe_file, "cannot be read", advice):
            record = json.loads(self.recipe_file.read_text(encoding="utf-8"))
            if not isinstance(record["recipe"]["model"], str):
                raise ValueError("the model is not a name")
            return record

    def recipe(self) -> Recipe:
        """The recipe of the run.

        Raises:
            UserError: it cannot be read, or has a wrong value.
        """
        values = self.record()["recipe"]
        with foreign_format(UserError, self.recipe_file, "not a recipe", "start a new run"):
            return Recipe.from_dict(values)

    def history(self) -> list[dict[str, str]]:
        """The finished epochs: column -> text.

        Raises:
            UserError: the file was not written by a training.
        """
        if not self.history_file.exists():
            return []
        advice = "restore it, or resume the run, which writes it again"
        with (
            foreign_format(
                UserError, self.history_file, "damaged, or not a history of a training", advice
            ),
            open(self.history_file, newline="", encoding="utf-8") as lines,
        ):
            rows = list(csv.DictReader(lines))
            epoch_scores(rows)  # every row has the numbers that decide on the best epoch
            if not rows:
                raise ValueError("no epoch in it")
            return rows

    @staticmethod
    def best_epoch(history: list[dict[str, str]]) -> dict[str, str]:
        """The epoch of best.keras: highest validation accuracy, then lowest validation loss."""
        scores = epoch_scores(history)
        return history[scores.index(max(scores))]

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """Write history.csv."""
        write_csv(self.history_file, rows)

    def save_model(self, model: "keras.Model", path: Path) -> None:
        """Write a model as it is used after training, atomically, to a path that ends in .keras."""
        with written_atomically(path) as draft:
            merged(model).save(draft)
