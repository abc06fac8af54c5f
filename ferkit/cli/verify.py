"""`verify`: checks the installation, and a saved model or a new model of each kind."""

import argparse
import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ferkit.cli.which_model import ModelChoice, add_model_choice, resolve
from ferkit.models.registry import MODELS, model_entry
from ferkit.recipes.named import named_recipe
from ferkit.tensorflow_runtime import import_tensorflow

if TYPE_CHECKING:
    import keras

EXAMPLES = """\
examples:
  python main.py verify
      the installation, and a new model of each kind
  python main.py verify -m deep_emotion
  python main.py verify --run runs/mine
  python main.py verify --weights dan-fer2013
"""

# New models are built small, so that all are checked in seconds. At any size they have the same
# kinds of weights.
_IMAGE_SIZE, _MAX_IMAGE_SIZE, _CHANNELS = 48, 64, 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(ModelChoice):
    """What the user gave to `verify`; new models are checked if no file is named."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `verify`."""
    add_model_choice(parser, default="new models")


def run(options: Options) -> int:
    """Run the checks and print what each found; returns 1 if one failed, else 0."""
    path = resolve(options, default="newest run") if options.names_a_file else None
    import_tensorflow()
    from ferkit import verification  # late: TensorFlow

    failures = verification.check_installation()
    if path:
        failures += verification.check_model_file(path, options.model)
    else:
        for name in [options.model] if options.model else MODELS:
            for recipes, model in _new_models(name):
                failures += verification.check_model(model, f"{name}, recipe {recipes}")
    print(f"{failures} failed." if failures else "All good.")
    return 1 if failures else 0


def _new_models(name: str) -> Iterator[tuple[str, "keras.Model"]]:
    """New models of all recipes of a model, with the recipes' names.

    Recipes that build the same model share one.
    """
    same: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for recipe_name in model_entry(name).recipes.RECIPES:
        recipe = named_recipe(name, recipe_name)
        arguments = {
            "image_size": min(recipe.image_size, _MAX_IMAGE_SIZE) or _IMAGE_SIZE,
            "channels": recipe.channels or _CHANNELS,
            **recipe.model_options,
        }
        same.setdefault(repr(sorted(arguments.items())), (arguments, []))[1].append(recipe_name)
    for arguments, recipe_names in same.values():
        yield " and ".join(recipe_names), model_entry(name).model_class(**arguments)
