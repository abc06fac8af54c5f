"""The plan of a comparison, stored in its folder so that it can be resumed."""

import dataclasses
import json
from pathlib import Path

from ferkit.errors import UserError
from ferkit.files import DRAFT, written_atomically
from ferkit.recipes.recipe import Recipe

RECORD = "compare.json"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What decides a comparison.

    Attributes:
        contestants: name -> recipe; its seed does not count.
        seeds: every contestant is trained with each.
        dataset: fingerprint of the dataset's rows.

    Raises:
        UserError: a seed out of range or given twice, on creation.
    """

    contestants: dict[str, Recipe]
    seeds: tuple[int, ...]
    dataset: dict

    def __post_init__(self):
        _no_doubles("--seeds", self.seeds)
        list(self.runs(Path()))  # a recipe knows which seeds there are

    def runs(self, folder: Path):
        """``(contestant, recipe with the seed, run folder's path)`` of every run, seed by seed."""
        for seed in self.seeds:
            for name, recipe in self.contestants.items():
                yield name, recipe.replace(seed=seed), folder / f"{name}-seed{seed}"

    def difference(self, other: "Plan") -> str | None:
        """In words, how this plan differs from another, or None."""
        if self.dataset["rows_sha256"] != other.dataset["rows_sha256"]:
            return f"on {self.dataset['folder']} as it was then, and {other.dataset['folder']} holds other rows"
        for what in ("contestants", "seeds"):
            mine, theirs = (" ".join(map(str, getattr(plan, what))) for plan in (self, other))
            if mine != theirs:
                return f"of {what} {mine}, and {theirs} were given"
        for name in self.contestants:
            mine, theirs = (_flat(plan.contestants[name]) for plan in (self, other))
            for key in [*mine, *theirs]:
                old, new = mine.get(key, "not set"), theirs.get(key, "not set")
                if key != "seed" and old != new:
                    return f"whose {name} has --{key} {old}, and now it is {new}"
        return None


def _flat(recipe):
    fields = dataclasses.asdict(recipe)
    fields["recipe"] = fields.pop("name")
    return fields | fields.pop("model_options")


def _no_doubles(flag, values):
    doubles = [value for index, value in enumerate(values) if value in values[:index]]
    if doubles:
        raise UserError(f"{flag}: {doubles[0]} is given twice; name each once.")


def read_plan(folder: Path) -> Plan | None:
    """The plan of the comparison in a folder; None where nothing is yet.

    Raises:
        UserError: the folder holds something else, or its record cannot be read.
    """
    file = folder / RECORD
    if not file.exists():
        if (folder / "recipe.json").exists():
            raise UserError(
                f"{folder}: is the folder of a single run, not of a comparison; choose another --folder."
            )
        if folder.exists() and (
            not folder.is_dir() or any(not DRAFT.match(entry.name) for entry in folder.iterdir())
        ):
            raise UserError(f"{folder}: exists and holds no comparison; choose another --folder.")
        return None
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        contestants = {
            name: Recipe.from_dict(values) for name, values in record["contestants"].items()
        }
        return Plan(contestants, tuple(record["seeds"]), record["dataset"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{file}: cannot be read ({error}); restore it, or choose another --folder."
        ) from error


def write_plan(folder: Path, plan: Plan):
    """Write compare.json, or find that the same is there already.

    Raises:
        UserError: other settings are there; says which.
    """
    before = read_plan(folder)
    if before is not None:
        difference = before.difference(plan)
        if difference:
            raise UserError(
                f"{folder}: a comparison {difference}; give the same settings again, or choose another --folder."
            )
        return
    from ferkit.provenance import provenance

    contestants = {name: json.loads(recipe.to_json()) for name, recipe in plan.contestants.items()}
    record = {
        "contestants": contestants,
        "seeds": plan.seeds,
        "dataset": plan.dataset,
        "made_with": provenance(),
    }
    with written_atomically(folder / RECORD) as draft:
        draft.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
