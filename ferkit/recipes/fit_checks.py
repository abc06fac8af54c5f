"""Checks that a recipe fits the dataset and the devices."""

from ferkit.errors import UserError
from ferkit.recipes.recipe import Recipe
from generate_data.manifest import Manifest


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


def check_batch_fits(recipe: Recipe, manifest: Manifest) -> None:
    """Raise UserError if a batch is larger than the training split."""
    rows = len(manifest.split("train"))
    if recipe.batch_size > rows:
        problem = f"larger than the dataset's {rows:,} train rows"
        raise UserError(f"--batch_size {recipe.batch_size}", problem, f"give at most {rows}")
