"""A run folder: recipe.json, history.csv, best.keras, last.keras, backup/ and report/. Every file in it is whole or absent."""

import csv
import datetime
import json
from pathlib import Path

from ferkit.errors import UserError
from ferkit.files import DRAFT, exclusive_lock, remove_partial_files, write_csv, written_atomically
from ferkit.models.interface import merged
from ferkit.provenance import provenance
from ferkit.recipes.recipe import Recipe
from ferkit.training.checkpoints import Checkpoints
from ferkit.training.history import epoch_scores, is_finished

RUNS = Path("runs")


class RunFolder:
    """Where one training keeps everything.

    Example:
        >>> run = RunFolder.create("runs/first", recipe, {"folder": "data"})
        >>> run.best
        PosixPath('runs/first/best.keras')
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.recipe_file = self.path / "recipe.json"
        self.history_file = self.path / "history.csv"
        self.best = self.path / "best.keras"
        self.last = self.path / "last.keras"
        self.checkpoints = Checkpoints(self.path / "backup")
        self.answers = self.path / "backup" / "teachers.npz"
        self.report = self.path / "report"

    @classmethod
    def create(cls, path, recipe: Recipe, dataset: dict) -> "RunFolder":
        """A new run folder; `path` None takes runs/<date-time>-<model>.

        Raises:
            UserError: there is a run already, or the folder holds something else or cannot be written.
        """
        run = cls(path or cls._free_default(recipe.model))
        if run.recipe_file.exists():
            raise UserError(
                f"{run.path}: holds a run already; add --resume to go on with it, or choose another --run."
            )
        if run.path.exists() and (
            not run.path.is_dir()
            or any(not DRAFT.match(entry.name) for entry in run.path.iterdir())
        ):
            raise UserError(f"{run.path}: exists and is no run folder; choose another --run.")
        record = {
            "recipe": json.loads(recipe.to_json()),
            "dataset": dataset,
            "made_with": provenance(),
        }
        run._write_record(record)
        return run

    def _write_record(self, record):
        with written_atomically(self.recipe_file) as draft:
            draft.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    @property
    def begun(self) -> bool:
        """Whether a run was started here."""
        return self.recipe_file.is_file()

    def prepare_resume(self, recipe: Recipe):
        """Before a resume: take away what a killed process left half-written, and note a recipe that was lengthened."""
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

    def in_use(self):
        """Within, no other process may train in this folder."""
        return exclusive_lock(
            self.path / "backup",
            f"{self.path}: another process is training in this folder; wait for it, or stop it.",
        )

    def finished(self, recipe: Recipe) -> bool:
        """Whether its last checkpoint is the end of that recipe, and all that belongs to a finished run is there."""
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
    def existing(cls, path) -> "RunFolder":
        """A run that was started before.

        Raises:
            UserError: no run there.
        """
        run = cls(path)
        if not run.recipe_file.is_file():
            raise UserError(
                f"{run.path}: no run there (no recipe.json); give the folder that train named, with --run."
            )
        return run

    @classmethod
    def newest(cls, model: str | None = None, or_none: bool = False) -> "RunFolder | None":
        """The run under runs/ that was touched last, of that model if given.

        Raises:
            UserError: there is none.
        """
        runs = [cls(file.parent) for file in RUNS.glob("*/recipe.json")]
        if model:
            runs = [run for run in runs if run.recipe().model == model]
        if not runs and or_none:
            return None
        if not runs:
            wanted = f" of model {model}" if model else ""
            raise UserError(
                f"{RUNS}: no run{wanted} there; train one first, or name its folder with --run."
            )
        return max(runs, key=lambda run: max(file.stat().st_mtime for file in run.path.iterdir()))

    @staticmethod
    def _free_default(model):
        stem = f"{datetime.datetime.now():%Y-%m-%d_%H-%M-%S}-{model}"
        paths = [RUNS / stem, *(RUNS / f"{stem}-{k}" for k in range(2, 100))]
        return next(path for path in paths if not path.exists())

    def record(self) -> dict:
        """recipe.json as a dictionary.

        Raises:
            UserError: it cannot be read.
        """
        try:
            return json.loads(self.recipe_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(
                f"{self.recipe_file}: cannot be read ({error}); restore it or start a new run."
            ) from error

    def recipe(self) -> Recipe:
        return Recipe.from_dict(self.record()["recipe"])

    def history(self) -> list[dict]:
        """The epochs so far, as text values by column."""
        if not self.history_file.exists():
            return []
        with open(self.history_file, newline="", encoding="utf-8") as lines:
            return list(csv.DictReader(lines))

    @staticmethod
    def best_epoch(history: list[dict]) -> dict:
        """The epoch that best.keras is of: the highest validation accuracy, then the lowest loss."""
        scores = epoch_scores(history)
        return history[scores.index(max(scores))]

    def write_history(self, rows: list[dict]):
        write_csv(self.history_file, rows)

    def save_model(self, model, path: Path):
        """Write a model as it is kept, atomically. Keras wants the name to end in .keras; written_atomically keeps the ending."""
        with written_atomically(path) as draft:
            merged(model).save(draft)
