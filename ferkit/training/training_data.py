"""Records what a run is trained on: its images, and those of its initial weights and teachers."""

import numpy as np

from ferkit.errors import UserError
from ferkit.input_pipeline.dataset import Split
from ferkit.input_pipeline.learned import image_hashes, unexpectedly_learned, with_learned
from ferkit.models.shipped_weights import model_file
from ferkit.models.trained_on import TrainedOn, read_trained_on
from ferkit.recipes.recipe import Recipe
from ferkit.training.run_folder import RunFolder


def record_training(run: RunFolder, recipe: Recipe, train: Split, val: Split) -> Split:
    """Give a run the record of its training data, which every model that it saves contains.

    Args:
        run: the run folder; the record of a resumed run is read from it.
        recipe: hyperparameters.
        train: training rows.
        val: validation rows.

    Returns:
        The validation rows, with the information which of them are in the record: initial weights
        and teachers may have learned them.
    """
    record = _stored(run)
    if record is None:
        record = _training_images(train, run.record()["dataset"].get("rows_sha256", ""))
        for name in _other_weights(recipe):
            record |= _record_of(name)
    val = with_learned(val, record)
    run.keep_trained_on(record, int(unexpectedly_learned(val).sum()))
    return val


def _training_images(train: Split, rows_sha256: str) -> TrainedOn:
    entry = {
        "dataset": train.dataset,
        "split": train.name,
        "images": len(train),
        "rows_sha256": rows_sha256,
    }
    return TrainedOn((entry,), np.unique(image_hashes(train.images)), complete=True)


def _other_weights(recipe: Recipe) -> list[str]:
    """Names and files of all weights that a training starts from or learns from."""
    options = [value for value in recipe.model_options.values() if isinstance(value, str)]
    files = [value for value in options if value.endswith((".keras", ".h5"))]
    names = [recipe.init_from, *recipe.teacher.split(","), *files]
    return [name.strip() for name in names if name.strip()]


def _record_of(name: str) -> TrainedOn:
    """The record of other weights; an empty, incomplete one if there is none."""
    try:
        file = model_file(name)
        return TrainedOn() if file.suffix == ".h5" else read_trained_on(file)
    except UserError:  # a resumed run may have lost its initial weights
        return TrainedOn()


def _stored(run: RunFolder) -> TrainedOn | None:
    try:
        text = run.trained_on_file.read_text(encoding="utf-8")
        return TrainedOn.from_text(text, run.trained_on_file)
    except (OSError, ValueError, UserError):  # a new run, or a damaged file: made again
        return None
