"""A run folder: recipe.json, history.csv, best.keras, last.keras, backup/ and report/.

Every file in it is complete or absent.
"""

import contextlib
import csv
import datetime
import json
import shutil
from collections.abc import Iterator
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
from ferkit.models.trained_on import TRAINED_ON, TrainedOn, write_trained_on
from ferkit.provenance import provenance
from ferkit.recipes.recipe import Recipe
from ferkit.training.checkpoints import Checkpoints
from ferkit.training.history import epoch_scores, is_finished

if TYPE_CHECKING:
    import keras

RUNS = Path("runs")
VAL_LEARNED = "val_images_learned"


class RunFolder:
    """All files of one training.

    Attributes:
        trained_on: what the training learns from; it is stored in every model that is saved.

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
        self.trained_on_file = self.path / "backup" / TRAINED_ON
        self.report = self.path / "report"
        self.trained_on: TrainedOn | None = None

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

    def keep_trained_on(self, record: TrainedOn, val_learned: int) -> None:
        """Store what the training learns from, and how many validation images that includes.

        Args:
            record: the record, which goes into every model that is saved from now on.
            val_learned: number of validation images in it that are not marked as duplicates.
        """
        self.trained_on = record
        about = {**record.summary(), VAL_LEARNED: val_learned}
        if self.record().get("trained_on") != about:
            self._write_record({**self.record(), "trained_on": about})
        if self.stored_trained_on() is None:
            with written_atomically(self.trained_on_file) as draft:
                draft.write_text(record.to_text(), encoding="utf-8")

    def keep_teachers(self, digests: dict[str, str]) -> None:
        """Store which teachers the run learns from; when it is resumed, they must be the same.

        Args:
            digests: name of a teacher -> SHA-256 of its file.

        Raises:
            UserError: a teacher's file is another than when the run was started.
        """
        record = self.record()
        before = record.get("teachers")
        if before is None:
            self._write_record({**record, "teachers": digests})
            return
        for name, digest in digests.items():
            if before.get(name, digest) != digest:
                problem = f"the teacher {name} is another file than when the run was started"
                raise UserError(self.path, problem, "restore that file, or start a new run")

    def stored_trained_on(self) -> TrainedOn | None:
        """The record that ``keep_trained_on`` stored; None if there is none, or it is damaged."""
        try:
            text = self.trained_on_file.read_text(encoding="utf-8")
            return TrainedOn.from_text(text, self.trained_on_file)
        except (OSError, ValueError, UserError):
            return None

    def _write_record(self, record: dict[str, Any]) -> None:
        write_json(self.recipe_file, record)

    @property
    def exists(self) -> bool:
        """Whether a run was started here."""
        return self.recipe_file.is_file()

    def prepare_resume(self, recipe: Recipe) -> None:
        """Before a resume: remove partial files, and record a changed number of epochs.

        Raises:
            UserError: the run has finished epochs but no checkpoint, so it would start over.
        """
        # A kill before the first checkpoint leaves one epoch, which is trained again as it was.
        is_done = (self.report / "index.html").exists()
        if (is_done or len(self.history()) > 1) and not self.checkpoints.files():
            problem = "no checkpoint in it, so the run cannot be resumed and would start over"
            advice = "restore it, or start a new run; best.keras can still be evaluated"
            raise UserError(self.checkpoints.folder, problem, advice)
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

    @contextlib.contextmanager
    def removed_if_it_fails_to_start(self, is_new: bool) -> Iterator[None]:
        """An exception in this context empties a new run folder that has nothing to resume.

        Otherwise the failed start would be the newest run, and its name would be in use.
        """
        try:
            yield
        except BaseException:
            if is_new and not self.checkpoints.files() and not self.history_file.exists():
                shutil.rmtree(self.path, ignore_errors=True)
            raise

    def lock(self) -> AbstractContextManager[None]:
        """In this context, no other process can train in this folder."""
        problem = "another process is training in this folder"
        error = UserError(self.path, problem, "wait for it, or stop it")
        return exclusive_lock(self.path / "backup", error)

    def finished(self, recipe: Recipe) -> bool:
        """Whether the run has reached the end of that recipe, and all its files exist."""
        position = self.checkpoints.position()
        if position is None:  # backup/ may have been removed since
            history = self.history()
            position = {"epoch": len(history), "step": 0, "history": history}
        if not is_finished(recipe, position["epoch"], position["step"], position["history"]):
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

    def val_images_learned(self) -> int | None:
        """Validation images that initial weights or teachers have learned; None: not known."""
        count = self.record().get("trained_on", {}).get(VAL_LEARNED)
        return count if isinstance(count, int) else None

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
            if self.trained_on:
                write_trained_on(draft, self.trained_on)
