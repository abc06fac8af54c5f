"""From a recipe and a dataset to a model and the splits it is trained on."""

import contextlib

from ferkit.errors import UserError
from ferkit.models.interface import LAST_LAYER, load_first_weights
from ferkit.models.registry import model_entry
from ferkit.recipes.recipe import Recipe


def new_model(recipe: Recipe, manifest, first_weights: bool = True, devices=None):
    """A new model of a recipe for a dataset, its weights decided by the recipe's seed; see ``build_model``.

    Its layers compute in the recipe's precision, on `devices` (a ``devices.Devices``; None: the one device).
    """
    from ferkit.input_pipeline.dataset import input_shape
    from ferkit.training.trainer import seed_everything

    shape = input_shape(manifest, recipe.image_size, recipe.channels)
    seed_everything(recipe.seed)
    with precision(recipe), devices.scope() if devices else contextlib.nullcontext():
        model = build_model(recipe, shape, manifest.class_names, first_weights)
    if first_weights and recipe.init_from:
        load_initial_weights(model, recipe)
    return model


def load_initial_weights(model, recipe: Recipe):
    """Give a model the weights that its recipe starts from; the last layer stays new where the classes are others.

    Raises:
        UserError: they cannot be had, or are of another architecture.
    """
    from ferkit.models.saved_model import load_model
    from ferkit.models.shipped_weights import model_file

    path = model_file(recipe.init_from)
    source = load_model(path, recipe.model)
    (height, _, channels), given = source.input_shape[1:], model.input_shape[1:]
    if (height, height, channels) != tuple(given):
        raise UserError(
            f"--init_from {recipe.init_from}: takes images of {height}x{height}x{channels}, this training gives it "
            f"{'x'.join(map(str, given))}; add --image_size {height} --channels {channels}."
        )
    last = (
        []
        if tuple(source.class_names) == tuple(model.class_names)
        else model.get_layer(LAST_LAYER).weights
    )
    kept = {id(weight) for weight in last}
    pairs = list(zip(model.weights, source.weights, strict=False))
    fits = len(model.weights) == len(source.weights)
    if not fits or any(ours.shape != their.shape and id(ours) not in kept for ours, their in pairs):
        raise UserError(
            f"--init_from {recipe.init_from}: its layers are not those of this recipe; give the recipe and the model "
            "options that it was trained with."
        )
    for own, their in pairs:
        if id(own) not in kept:
            own.assign(their)


@contextlib.contextmanager
def precision(recipe: Recipe):
    """Within, new layers compute in the recipe's precision; their weights are float32. A saved model is float32 again."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(
        "float32" if recipe.precision == "float32" else f"mixed_{recipe.precision}"
    )
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def training_splits(manifest, model):
    """The train and the val split, as the model takes them."""
    from ferkit.input_pipeline.dataset import load_split

    return tuple(
        load_split(manifest.folder, name, manifest, *model.input_shape[2:])
        for name in ("train", "val")
    )


def build_model(
    recipe: Recipe,
    shape: tuple[int, int, int],
    class_names: tuple[str, ...],
    first_weights: bool = True,
):
    """A new model of the recipe.

    Args:
        recipe: a ``Recipe``.
        shape: height, width and channels of its input.
        class_names: names of its outputs.
        first_weights: load pretrained weights, where the recipe asks for them.

    Raises:
        UserError: the model cannot be built so, or the weights cannot be had.
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
    except ValueError as error:  # the model's own check of its arguments
        raise UserError(f"model {recipe.model}: {error}") from error
    return model
