"""Checks that a recipe fits the dataset and the devices."""

from collections.abc import Collection

from ferkit.errors import UserError
from ferkit.recipes.recipe import Recipe
from generate_data.manifest import Manifest

SMOOTHING_WITHOUT_VOTES = 0.1  # that of the trainings in docs/results.md without votes


def check_devices_fit(recipe: Recipe, replicas: int) -> None:
    """Raise UserError if a recipe cannot run on this number of devices."""
    minimum = replicas * recipe.accumulate_steps
    if recipe.batch_size < minimum:
        parts = recipe.accumulate_steps
        problem = f"fewer than one image for each of {replicas} devices in {parts} parts"
        raise UserError(f"--batch_size {recipe.batch_size}", problem, f"give at least {minimum}")
    if recipe.precision == "float16" and replicas > 1:
        problem = "its loss scaling works on one device only"
        raise UserError("--precision float16", problem, "use bfloat16 on several devices")


def fit_votes(recipe: Recipe, manifest: Manifest, given: Collection[str]) -> Recipe:
    """The recipe, with label smoothing instead of FER+ votes if the dataset has no votes.

    Prints a line about it.

    Args:
        recipe: hyperparameters.
        manifest: the dataset.
        given: the fields that the user gave. If --vote_weight is one of them, votes must exist.

    Raises:
        UserError: the user asked for votes that the dataset does not have.
    """
    if not recipe.vote_weight or "votes" in manifest.table:
        return recipe
    add = "run setup again with --ferplus fer2013new.csv"
    if "vote_weight" in given:
        raise UserError("--vote_weight", "the dataset has no FER+ votes", f"{add}, or drop it")
    smoothing = recipe.label_smoothing
    if not smoothing and "label_smoothing" not in given:
        smoothing = SMOOTHING_WITHOUT_VOTES
    print(
        f"The dataset has no FER+ votes: recipe {recipe.name} trains without them, with "
        f"--label_smoothing {smoothing:g}. To add them, {add}."
    )
    return recipe.replace(vote_weight=0.0, label_smoothing=smoothing)


def check_batch_fits(recipe: Recipe, manifest: Manifest) -> None:
    """Raise UserError if a batch is larger than the training split."""
    rows = len(manifest.split("train"))
    if recipe.batch_size > rows:
        problem = f"larger than the dataset's {rows:,} train rows"
        raise UserError(f"--batch_size {recipe.batch_size}", problem, f"give at most {rows}")
