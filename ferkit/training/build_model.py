"""Builds the model of a recipe for a dataset, and loads the splits that it is trained on."""

import contextlib
from collections.abc import Iterator

import keras

from ferkit.errors import UserError
from ferkit.input_pipeline.dataset import Split, input_shape, load_split
from ferkit.models.interface import LAST_LAYER, load_first_weights
from ferkit.models.registry import model_entry
from ferkit.models.saved_model import load_model
from ferkit.models.shipped_weights import model_file
from ferkit.recipes.recipe import Recipe
from ferkit.training.devices import Devices
from generate_data.manifest import Manifest


def new_model(
    recipe: Recipe,
    manifest: Manifest,
    first_weights: bool = True,
    devices: Devices | None = None,
) -> keras.Model:
    """A new model of a recipe for a dataset; the recipe's seed determines its initial weights.

    Its layers compute in the recipe's precision.

    Args:
        recipe: hyperparameters.
        manifest: the dataset.
        first_weights: load pretrained weights, and those of ``init_from``, if the recipe has them.
        devices: the devices that hold the variables; None: one device.

    Raises:
        UserError: the model cannot be built, or its weights are not available.
    """
    shape = input_shape(manifest, recipe.image_size, recipe.channels)
    seed_everything(recipe.seed)
    with precision(recipe), devices.scope() if devices else contextlib.nullcontext():
        model = build_model(recipe, shape, manifest.class_names, first_weights)
    if first_weights and recipe.init_from:
        load_initial_weights(model, recipe)
    if recipe.freeze:
        freeze_layers(model, recipe.freeze)
    return model


def seed_everything(seed: int) -> None:
    """Seed the generators of initial weights; the training loop has its own random numbers."""
    keras.utils.set_random_seed(seed)


def load_initial_weights(model: keras.Model, recipe: Recipe) -> None:
    """Copy the weights of ``init_from`` to a model; the last layer stays new if classes differ.

    Raises:
        UserError: the file cannot be loaded, or has another architecture.
    """
    where = f"--init_from {recipe.init_from}"
    source = load_model(model_file(recipe.init_from, "--init_from"), recipe.model)
    (height, _, channels), given = source.input_shape[1:], model.input_shape[1:]
    if (height, height, channels) != tuple(given):
        needs, has = f"{height}x{height}x{channels}", "x".join(map(str, given))
        problem = f"its input is {needs}, and this training uses {has}"
        raise UserError(where, problem, f"add --image_size {height} --channels {channels}")
    same_classes = tuple(source.class_names) == tuple(model.class_names)
    new = {id(weight) for weight in ([] if same_classes else model.get_layer(LAST_LAYER).weights)}
    pairs = list(zip(model.weights, source.weights, strict=False))
    if len(model.weights) != len(source.weights) or any(
        weight.shape != loaded.shape and id(weight) not in new for weight, loaded in pairs
    ):
        advice = "give the recipe and the model options that it was trained with"
        raise UserError(where, "its layers are not those of this recipe", advice)
    for weight, loaded in pairs:
        if id(weight) not in new:
            weight.assign(loaded)


def freeze_layers(model: keras.Model, names: str) -> None:
    """Make layers keep their weights in training; batch normalization then does not adapt either.

    Args:
        model: the model.
        names: names or beginnings of names of layers, separated by commas.

    Raises:
        UserError: no layer's name starts so, or no layer is left to train.

    Example:
        >>> freeze_layers(model, "localization")
    """
    for name in (part.strip() for part in names.split(",")):
        found = [layer for layer in model.layers if name and layer.name.startswith(name)]
        if not found:
            known = ", ".join(layer.name for layer in model.layers if layer.weights)
            raise UserError(f"--freeze {names}", f"no layer {name!r}", f"there are: {known}")
        for layer in found:
            layer.trainable = False
    if not model.trainable_variables:
        raise UserError(f"--freeze {names}", "no layer is left to train", "freeze fewer layers")


@contextlib.contextmanager
def precision(recipe: Recipe) -> Iterator[None]:
    """In this context, new layers compute in the recipe's precision.

    Their weights are float32, and so is a saved model.
    """
    before = keras.config.dtype_policy()
    mixed = recipe.precision != "float32"
    keras.config.set_dtype_policy(f"mixed_{recipe.precision}" if mixed else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def training_splits(manifest: Manifest, model: keras.Model) -> tuple[Split, Split]:
    """The train and the val split in the size and channels of the model."""
    size, channels = model.input_shape[2:]
    train, val = (
        load_split(manifest.folder, name, manifest, size, channels) for name in ("train", "val")
    )
    return train, val


def build_model(
    recipe: Recipe,
    shape: tuple[int, int, int],
    class_names: tuple[str, ...],
    first_weights: bool = True,
) -> keras.Model:
    """A new model of the recipe.

    Args:
        recipe: hyperparameters.
        shape: height, width and channels of its input.
        class_names: names of its outputs.
        first_weights: load pretrained weights, if the recipe has them.

    Raises:
        UserError: the model cannot be built, or its weights are not available.
    """
    options = {
        "class_names": class_names,
        "image_size": shape[0],
        "channels": shape[2],
        **recipe.model_options,
    }
    try:
        model = model_entry(recipe.model).model_class(**options)
        if first_weights:
            load_first_weights(model)
    except ValueError as error:  # the model checks its own arguments
        raise UserError(f"model {recipe.model}", str(error)) from error
    return model
