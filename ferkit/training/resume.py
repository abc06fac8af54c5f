"""Checks that a run can be resumed with the options and the dataset given."""

import json
from typing import TYPE_CHECKING, Any

from ferkit.errors import UserError
from ferkit.input_pipeline.fingerprint import _in_words
from ferkit.recipes.recipe import Recipe

if TYPE_CHECKING:
    from ferkit.training.run_folder import RunFolder


def resumed_run(
    path: str | None, model: str | None, recipe_name: str | None, given: dict[str, Any]
) -> "tuple[RunFolder, Recipe] | tuple[None, None]":
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
    from ferkit.training.run_folder import RunFolder

    run = RunFolder(path) if path else RunFolder.newest(model, or_none=True)
    if run is None or not run.begun:
        print("Nothing to resume yet: a new run.")
        return None, None
    recipe = run.recipe()
    if model and model != recipe.model:
        raise UserError(
            f"{run.path}: a run of model {recipe.model}, and --model {model} was given; drop one of the two."
        )
    name = recipe_name or recipe.name
    if name != recipe.name and not name.endswith(".json"):
        raise UserError(
            f"{run.path}: a run of recipe {recipe.name}, and --recipe {name} was given; start a new run."
        )
    for key, value in given.items():
        old = recipe.model_options.get(key, getattr(recipe, key, None))
        if key not in ("epochs", "early_stopping") and value != old:
            raise UserError(
                f"{run.path}: runs with --{key} {old}, and {value} was given; a resumed run keeps its recipe."
            )
    if given.get("epochs", recipe.epochs) != recipe.epochs:
        stretched = recipe.schedule == "cosine"
        note = " The cosine schedule stretches to the new length." if stretched else ""
        print(
            f"Epochs: {given['epochs']} instead of the {recipe.epochs} this run was started with.{note}"
        )
    lengths = {key: given[key] for key in ("epochs", "early_stopping") if key in given}
    return run, recipe.replace(**lengths)


def check_same_dataset(run, fingerprint):
    """Raises UserError, naming both, when a run was started on other rows or classes."""
    before = run.record()["dataset"]
    if before["rows_sha256"] != fingerprint["rows_sha256"]:
        raise UserError(
            f"{fingerprint['folder']}: {_in_words(fingerprint)}; not the dataset that {run.path} was started on, then in "
            f"{before['folder']}: {_in_words(before)}. Give that one with -d, or start a new run."
        )


def same_on_all_workers(devices, recipe, fingerprint):
    """The chief's recipe: its run folder has it, others may have none.

    Raises:
        UserError: this worker's dataset is not the chief's.
    """
    if devices.workers == 1:
        return recipe
    theirs = json.loads(
        devices.broadcast_text(json.dumps({"recipe": recipe.to_json(), "dataset": fingerprint}))
    )
    if theirs["dataset"]["rows_sha256"] != fingerprint["rows_sha256"]:
        raise UserError(
            f"{fingerprint['folder']}: {_in_words(fingerprint)}; not the dataset of the first worker, "
            f"{_in_words(theirs['dataset'])}. Every worker needs the same dataset, set up alike."
        )
    return Recipe.from_dict(json.loads(theirs["recipe"]))
