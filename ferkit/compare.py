"""A comparison: contestants trained by one recipe with several seeds, each in a run folder of its own, then timed in turn.

Imports nothing heavy at the top: the command line asks here for its defaults.
"""

import dataclasses
import gc
import json
from collections.abc import Callable
from pathlib import Path

from .atomic import DRAFT, atomic_path
from .errors import UserError
from .quiet import import_tensorflow
from .recipe import Recipe
from .registry import MODELS, folded, model_entry

RECORD = "compare.json"


def default_model() -> str:
    """The model that is compared where none is named: the first that says what can be taken away from it."""
    return next(name for name, entry in MODELS.items() if hasattr(entry.recipes, "ABLATIONS"))


# ---- who takes part -----------------------------------------------------------------------------------------------------


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


def choose_contestants(options, recipe_of: Callable[[str], Recipe]) -> dict[str, Recipe]:
    """The contestants that the command line names.

    Args:
        options: with ``backbones``, ``ablate`` and ``models``, lists or None, and ``model`` if it was given.
        recipe_of: from a model's name to its recipe with the user's values.

    Raises:
        UserError: none named, one named twice or unknown, or flags that do not go together.
    """
    for flag in ("backbones", "ablate", "models"):
        _no_doubles(f"--{flag}", getattr(options, flag) or [])
    if options.models:
        if options.backbones or options.ablate or hasattr(options, "model"):
            raise UserError("--models: does not go with --model, --backbones or --ablate, which vary one model; drop one side.")
        return {model: recipe_of(model) for model in options.models}
    if not (options.backbones or options.ablate):
        raise UserError("compare: no contestants; name some with --backbones, --ablate or --models. See: compare --help")
    base = recipe_of(getattr(options, "model", default_model()))
    named = _with_backbones(base, options) if options.backbones else {"": base}
    if options.ablate:
        named = {_joined(name, part): changed for name, own in named.items() for part, changed in _ablated(own, options.ablate)}
    return named


def _no_doubles(flag, values):
    doubles = [value for index, value in enumerate(values) if value in values[:index]]
    if doubles:
        raise UserError(f"{flag}: {doubles[0]} is given twice; name each once.")


def _joined(name, part):
    return f"{name}-{part}" if name else part


def _with_backbones(base, options):
    known = model_entry(base.model).recipes.OPTIONS.get("backbone")
    if known is None:
        raise UserError(f"--backbones: model {base.model} has no choice of backbones; compare with --models, or another --model.")
    if hasattr(options, "backbone"):
        raise UserError(f"--backbone {options.backbone}: does not go with --backbones; drop one of the two.")
    for name in options.backbones:
        if name not in known[1]:
            raise UserError(f"--backbones {name}: unknown; known: {', '.join(known[1])}.")
    return {name: base.replace(backbone=name) for name in options.backbones}


def _ablated(recipe, parts):
    """``(name, recipe)`` of the whole, of the whole without each of the parts, and without any."""
    module = model_entry(recipe.model).recipes
    known = getattr(module, "ABLATIONS", None)
    if not known:
        raise UserError(f"--ablate: model {recipe.model} has no parts to take away; compare with --models, or another --model.")
    for part in parts:
        if part not in known:
            raise UserError(f"--ablate {part}: unknown; known: {', '.join(known)}.")
    made = {"full": recipe, **{f"no-{part}": recipe.replace(**known[part]) for part in parts}}
    for part in parts:
        if made[f"no-{part}"] == recipe:
            raise UserError(f"--ablate {part}: changes nothing, the recipe is without it already; drop it.")
    plain = recipe.replace(**module.PLAIN)
    return [*made.items(), *([] if plain in made.values() else [("plain", plain)])]


# ---- the folder ---------------------------------------------------------------------------------------------------------


def read_plan(folder: Path) -> Plan | None:
    """The plan of the comparison in a folder; None where nothing is yet.

    Raises:
        UserError: the folder holds something else, or its record cannot be read.
    """
    file = folder / RECORD
    if not file.exists():
        if (folder / "recipe.json").exists():
            raise UserError(f"{folder}: is the folder of a single run, not of a comparison; choose another --folder.")
        if folder.exists() and (not folder.is_dir() or any(not DRAFT.match(entry.name) for entry in folder.iterdir())):
            raise UserError(f"{folder}: exists and holds no comparison; choose another --folder.")
        return None
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        contestants = {name: Recipe.from_dict(values) for name, values in record["contestants"].items()}
        return Plan(contestants, tuple(record["seeds"]), record["dataset"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file}: cannot be read ({error}); restore it, or choose another --folder.") from error


def write_plan(folder: Path, plan: Plan):
    """Write compare.json, or find that the same is there already.

    Raises:
        UserError: other settings are there; says which.
    """
    before = read_plan(folder)
    if before is not None:
        difference = before.difference(plan)
        if difference:
            raise UserError(f"{folder}: a comparison {difference}; give the same settings again, or choose another --folder.")
        return
    from .run_folder import made_with

    contestants = {name: json.loads(recipe.to_json()) for name, recipe in plan.contestants.items()}
    record = {"contestants": contestants, "seeds": plan.seeds, "dataset": plan.dataset, "made_with": made_with()}
    with atomic_path(folder / RECORD) as draft:
        draft.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


# ---- the trainings ------------------------------------------------------------------------------------------------------


def train_all(folder: Path, plan: Plan, fit: Callable) -> list[dict] | None:
    """Train what is not trained yet.

    Args:
        folder: of the comparison.
        plan: what to train.
        fit: ``fit(recipe, run)`` trains from wherever the run stands; False when a signal stopped it.

    Returns:
        One result for each run, with its ``history``; None when a signal stopped a training.
    """
    from .compare_report import run_result
    from .run_folder import RunFolder

    results, total = [], len(plan.seeds) * len(plan.contestants)
    for name, recipe, path in plan.runs(folder):
        run, reason = RunFolder(path), ""
        if len(run.history()) < recipe.epochs:
            print(f"\n[{len(results) + 1}/{total}] {name}, seed {recipe.seed}", flush=True)
            try:
                if not fit(recipe, _begun(run, recipe, plan.dataset)):
                    return None
            except UserError as error:  # the others can still be trained; the next call tries this one again
                reason = str(error)
                print(f"Failed: {reason}")
            # The graph of a step, its model and the images refer to one another: free them before the next. TensorFlow itself
            # keeps some of what it compiled, 0.1 GB for a small DAN; a comparison that is called again starts without that.
            gc.collect()
        results.append(run_result(name, recipe, run, reason))
    return results


def _begun(run, recipe, dataset):
    return run if run.begun else type(run).create(run.path, recipe, dataset)


def run(folder: Path, plan: Plan, manifest) -> int:
    """Train, measure, show and write everything; returns the exit code: 1 when a training failed, 130 when it was stopped."""
    import_tensorflow()
    from .building import seeded_model, training_splits
    from .compare_report import write_comparison
    from .cost import measure_speed, multiply_adds
    from .training import Trainer

    # Every model is built before the first is trained: one that cannot be built must not show up after hours.
    models = {name: seeded_model(recipe, manifest, first_weights=False) for name, recipe in plan.contestants.items()}
    kept = {name: folded(model) for name, model in models.items()}
    costs = {name: {"parameters": model.count_params(), "multiply_adds": multiply_adds(model)} for name, model in kept.items()}
    del models, kept
    write_plan(folder, plan)
    splits = {}

    def fit(recipe, run):
        model = seeded_model(recipe, manifest, first_weights=not run.checkpoints.files())
        if model.input_shape not in splits:
            splits[model.input_shape] = training_splits(manifest, model)
        with run.in_use():  # before it takes away drafts: they may be another process's
            run.go_on_with(recipe)
            return Trainer(model, recipe, *splits[model.input_shape], run).fit()

    try:
        results = train_all(folder, plan, fit)
        if results is None:
            return 130
        splits.clear()
        print("\nMeasuring speed ...", flush=True)
        models = {name: seeded_model(recipe, manifest, first_weights=False) for name, recipe in plan.contestants.items()}
        for name, speeds in measure_speed(models, plan.contestants).items():
            costs[name] |= speeds
    except KeyboardInterrupt:  # between the trainings, which stop in their own way
        return 130
    write_comparison(folder, plan, results, costs)
    return 1 if any(result["status"] == "failed" for result in results) else 0
