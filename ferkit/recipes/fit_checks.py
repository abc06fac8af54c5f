"""Checks that a recipe fits the dataset and the devices."""

from ferkit.errors import UserError


def check_devices_fit(recipe, devices):
    """Raises UserError when a recipe cannot run on so many devices."""
    fewest = devices.replicas * recipe.accumulate_steps
    if recipe.batch_size < fewest:
        raise UserError(
            f"--batch_size {recipe.batch_size}: fewer than one image for each of {devices.replicas} devices in "
            f"{recipe.accumulate_steps} parts; give at least {fewest}."
        )
    if recipe.precision == "float16" and devices.replicas > 1:
        raise UserError(
            "--precision float16: its loss scale works on one device only; take bfloat16 on several."
        )


def check_batch_fits(recipe, manifest):
    rows = len(manifest.split("train"))
    if recipe.batch_size > rows:
        raise UserError(
            f"--batch_size {recipe.batch_size}: larger than the dataset's {rows:,} train rows; give at most {rows}."
        )
