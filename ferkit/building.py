"""From a recipe and a dataset to a model and the splits it is trained on."""

import contextlib

from .errors import UserError
from .recipe import Recipe
from .registry import model_entry


def seeded_model(recipe: Recipe, manifest, first_weights: bool = True, devices=None):
    """A new model of a recipe for a dataset, its weights decided by the recipe's seed; see ``build_model``.

    Its layers compute in the recipe's precision, on `devices` (a ``devices.Devices``; None: the one device).
    """
    from .dataset import input_shape
    from .training import seed_everything

    shape = input_shape(manifest, recipe.image_size, recipe.channels)
    seed_everything(recipe.seed)
    with precision(recipe), devices.scope() if devices else contextlib.nullcontext():
        return build_model(recipe, shape, manifest.class_names, first_weights)


@contextlib.contextmanager
def precision(recipe: Recipe):
    """Within, new layers compute in the recipe's precision; their weights are float32. A saved model is float32 again."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if recipe.precision == "float32" else f"mixed_{recipe.precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def training_splits(manifest, model):
    """The train and the val split, as the model takes them."""
    from .dataset import load_split

    return tuple(load_split(manifest.folder, name, manifest, *model.input_shape[2:]) for name in ("train", "val"))


def build_model(recipe: Recipe, shape: tuple[int, int, int], class_names: tuple[str, ...], first_weights: bool = True):
    """A new model of the recipe.

    Args:
        recipe: a ``Recipe``.
        shape: height, width and channels of its input.
        class_names: names of its outputs.
        first_weights: load pretrained weights, where the recipe asks for them.

    Raises:
        UserError: the model cannot be built so, or the weights cannot be had.
    """
    options = {"class_names": class_names, "image_size": shape[0], "channels": shape[2], **recipe.model_options}
    try:
        model = model_entry(recipe.model).model_class(**options)
        if first_weights and hasattr(model, "load_first_weights"):
            model.load_first_weights()
    except ValueError as error:  # the model's own check of its arguments
        raise UserError(f"model {recipe.model}: {error}") from error
    return model
