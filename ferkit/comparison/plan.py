"""The plan of a comparison, stored in its folder so that it can be resumed."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from ferkit.errors import UserError, foreign_format
from ferkit.files import DRAFT, write_json
from ferkit.provenance import provenance
from ferkit.recipes.recipe import Recipe

RECORD = "compare.json"


@dataclasses.dataclass(frozen=True)
class ComparisonPlan:
    """What determines the result of a comparison.

    Attributes:
        contestants: name -> recipe, whose seed is ignored.
        seeds: seeds to train each contestant with.
        dataset: fingerprint of the dataset, see ``fingerprint_of``.

    Raises:
        UserError: a seed is out of range or given twice.
    """

    contestants: dict[str, Recipe]
    seeds: tuple[int, ...]
    dataset: dict[str, Any]

    def __post_init__(self) -> None:
        check_no_duplicates("--seeds", self.seeds)
        list(self.runs(Path()))  # a recipe checks the range of its seed

    def runs(self, folder: Path) -> Iterator[tuple[str, Recipe, Path]]:
        """``(contestant, recipe with the seed, run folder)`` of every run, seed by seed."""
        for seed in self.seeds:
            for name, recipe in self.contestants.items():
                yield name, recipe.replace(seed=seed), folder / f"{name}-seed{seed}"

    def difference(self, given: Self) -> str | None:
        """How this plan differs from the given one, in words, or None."""
        if self.dataset["rows_sha256"] != given.dataset["rows_sha256"]:
            before, now = self.dataset["folder"], given.dataset["folder"]
            return f"on {before} as it was then, and {now} contains other rows"
        for field in ("contestants", "seeds"):
            before, now = (" ".join(map(str, getattr(plan, field))) for plan in (self, given))
            if before != now:
                return f"of {field} {before}, and {now} were given"
        for name in self.contestants:
            before, now = (_settings(plan.contestants[name]) for plan in (self, given))
            for key in [*before, *now]:
                old, new = before.get(key, "not set"), now.get(key, "not set")
                if key != "seed" and old != new:
                    return f"whose {name} has --{key} {old}, and {new} was given"
        return None


def _settings(recipe: Recipe) -> dict[str, Any]:
    """Flag -> value."""
    fields = dataclasses.asdict(recipe)
    fields["recipe"] = fields.pop("name")
    return fields | fields.pop("model_options")


def check_no_duplicates(flag: str, values: Sequence[Any]) -> None:
    """Check that no value of a flag is given twice.

    Raises:
        UserError: one is.
    """
    for index, value in enumerate(values):
        if value in values[:index]:
            raise UserError(flag, f"{value} is given twice", "give each value once")


def read_plan(folder: Path) -> ComparisonPlan | None:
    """The plan of the comparison in a folder; None if the folder is empty or missing.

    Raises:
        UserError: the folder contains something else, or its record cannot be read.
    """
    file = folder / RECORD
    if not file.exists():
        _check_unused(folder)
        return None
    advice = "restore it, or choose another --folder"
    with foreign_format(UserError, file, "cannot be read", advice):
        record = json.loads(file.read_text(encoding="utf-8"))
        contestants = {
            name: Recipe.from_dict(values) for name, values in record["contestants"].items()
        }
        return ComparisonPlan(contestants, tuple(record["seeds"]), record["dataset"])


def _check_unused(folder: Path) -> None:
    advice = "choose another --folder"
    if (folder / "recipe.json").exists():
        raise UserError(folder, "is the folder of a single run, not of a comparison", advice)
    if folder.exists() and (
        not folder.is_dir() or any(not DRAFT.match(entry.name) for entry in folder.iterdir())
    ):
        raise UserError(folder, "exists and contains no comparison", advice)


def write_plan(folder: Path, plan: ComparisonPlan) -> None:
    """Write compare.json, unless the folder contains the same plan.

    Raises:
        UserError: the folder contains another plan; says what differs.
    """
    earlier = read_plan(folder)
    if earlier is not None:
        difference = earlier.difference(plan)
        if difference:
            problem = f"contains a comparison {difference}"
            advice = "give the same settings again, or choose another --folder"
            raise UserError(folder, problem, advice)
        return
    contestants = {name: json.loads(recipe.to_json()) for name, recipe in plan.contestants.items()}
    record = {
        "contestants": contestants,
        "seeds": plan.seeds,
        "dataset": plan.dataset,
        "made_with": provenance(),
    }
    write_json(folder / RECORD, record)
