"""Checks that a run can be resumed with the options and the dataset given."""

import json
from typing import Any

from ferkit.errors import UserError
from ferkit.input_pipeline.fingerprint import describe_fingerprint
from ferkit.recipes.recipe import Recipe
from ferkit.training.devices import Devices
from ferkit.training.run_folder import RunFolder


def resumed_run(
    path: str | None, model: str | None, recipe_name: str | None, given: dict[str, Any]
) -> tuple[RunFolder, Recipe] | tuple[None, None]:
    """The run to resume and its recipe, in which only --epochs and --early_stopping may change.

    Args:
        path: the run folder; None: the newest run (of `model`).
        model: the name of the model that the run must have, or None.
        recipe_name: the name of the recipe that the run must have, or None.
        given: recipe field or model option -> value that the user gave.

    Returns:
        The run and its recipe; (None, None) if there is no run yet.

    Raises:
        UserError: what was given does not fit the run.
    """
    run = RunFolder(path) if path else RunFolder.newest(model)
    if run is None or not run.exists:
        print("There is no run to resume: starting a new run.")
        return None, None
    recipe = run.recipe()
    if model and model != recipe.model:
        problem = f"a run of model {recipe.model}, and --model {model} was given"
        raise UserError(run.path, problem, "remove one of the two")
    name = recipe_name or recipe.name
    if name != recipe.name and not name.endswith(".json"):
        problem = f"a run of recipe {recipe.name}, and --recipe {name} was given"
        raise UserError(run.path, problem, "start a new run")
    for key, value in given.items():
        old = recipe.model_options.get(key, getattr(recipe, key, None))
        if key not in ("epochs", "early_stopping") and value != old:
            problem = f"its --{key} is {old}, and {value} was given"
            raise UserError(run.path, problem, "a resumed run keeps its recipe; start a new run")
    if given.get("epochs", recipe.epochs) != recipe.epochs:
        stretched = recipe.schedule == "cosine"
        note = " The cosine schedule stretches to the new length." if stretched else ""
        print(f"Epochs: {given['epochs']} instead of the {recipe.epochs} of the run so far.{note}")
    lengths = {key: given[key] for key in ("epochs", "early_stopping") if key in given}
    return run, recipe.replace(**lengths)


def check_same_dataset(run: RunFolder, fingerprint: dict[str, Any]) -> None:
    """Raise UserError if a run was started on other rows or classes."""
    before = run.record()["dataset"]
    if before["rows_sha256"] != fingerprint["rows_sha256"]:
        problem = (
            f"{describe_fingerprint(fingerprint)}; {run.path} was started on another dataset, then "
            f"in {before['folder']}: {describe_fingerprint(before)}"
        )
        raise UserError(fingerprint["folder"], problem, "give that one with -d, or start a new run")


def same_on_all_workers(devices: Devices, recipe: Recipe, fingerprint: dict[str, Any]) -> Recipe:
    """The chief's recipe; only the chief's run folder has it.

    Raises:
        UserError: this worker's dataset is not the chief's.
    """
    if devices.workers == 1:
        return recipe
    record = {"recipe": recipe.to_json(), "dataset": fingerprint}
    chief = json.loads(devices.broadcast_text(json.dumps(record)))
    if chief["dataset"]["rows_sha256"] != fingerprint["rows_sha256"]:
        problem = (
            f"{describe_fingerprint(fingerprint)}; not the dataset of the first worker, "
            f"{describe_fingerprint(chief['dataset'])}"
        )
        raise UserError(fingerprint["folder"], problem, "give every worker the same dataset")
    return Recipe.from_dict(json.loads(chief["recipe"]))
