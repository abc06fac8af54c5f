"""Flags for the recipe: its name, each of its fields, and each model option."""

import argparse
import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

from ferkit.cli.arguments import add_alias, boolean, model_name
from ferkit.errors import UserError
from ferkit.models.registry import DEFAULT_MODEL, MODELS, model_entry
from ferkit.recipes.named import named_recipe, read_recipe
from ferkit.recipes.recipe import RENAMED_FIELDS, Recipe

SHORT_FLAGS = {"epochs": "-e", "learning_rate": "-lr", "batch_size": "-bs"}
_MAX_CHOICES_SHOWN = 6  # longer lists of choices are shown in the help text


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecipeFlags:
    """What the user gave to choose and change a recipe.

    Attributes:
        model: name of a model.
        recipe: name of one of its recipes, or a recipe file (.json).
        overrides: recipe field or model option -> value, only those that were given.
    """

    model: str | None
    recipe: str | None
    overrides: dict[str, Any]


class _Override(argparse.Action):
    """Collects the values that were given in the dictionary ``overrides``."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        namespace.overrides = {**namespace.overrides, self.dest: values}


def add_model_and_recipe(group: argparse._ActionsContainer, default_model: str) -> None:
    """Add --model and --recipe."""
    group.add_argument(
        "-m",
        "--model",
        type=model_name,
        choices=list(MODELS),
        default=None,
        help=f"model to train (default: {default_model})",
    )
    recipes = "; ".join(f"{name}: {', '.join(e.recipes.RECIPES)}" for name, e in MODELS.items())
    group.add_argument(
        "--recipe",
        default=None,
        metavar="NAME|FILE",
        help=f"a recipe of the model, or the recipe.json of a run. {recipes}",
    )


def add_recipe_values(parser: argparse.ArgumentParser, leave_out: Collection[str] = ()) -> None:
    """Add a flag for every recipe field, except those left out, and for every model option."""
    parser.set_defaults(overrides={})
    fields = parser.add_argument_group("hyperparameters (default: the value of the recipe)")
    for field in dataclasses.fields(Recipe):
        if field.metadata and field.name not in leave_out:
            _add_value(
                fields,
                field.name,
                type(field.default),
                field.metadata["choices"],
                field.metadata["help"],
            )
    options = parser.add_argument_group("model options (default: the value of the recipe)")
    for name, (kind, choices, help_text) in _model_options().items():
        _add_value(options, name, kind, choices, help_text)


def _model_options() -> dict[str, tuple[type, Sequence[Any] | None, str]]:
    tables = [entry.recipes.OPTIONS for entry in MODELS.values()]
    return {name: option for table in tables for name, option in table.items()}


def _add_value(
    group: argparse._ActionsContainer,
    name: str,
    kind: type,
    choices: Sequence[Any] | None,
    help_text: str,
) -> None:
    options: dict[str, Any] = {
        "dest": name,
        "action": _Override,
        "type": kind,
        "default": argparse.SUPPRESS,
    }
    if kind is bool:
        options |= {"type": boolean, "nargs": "?", "const": True, "metavar": "True|False"}
    elif choices:
        options["choices"] = choices
        if kind is str:
            options["type"] = str.lower
        if len(choices) > _MAX_CHOICES_SHOWN:
            options["metavar"] = "NAME"
            help_text += f": {', '.join(map(str, choices))}"
    else:
        options["metavar"] = {int: "N", float: "X"}.get(kind, "NAME")
    flags = [SHORT_FLAGS[name]] if name in SHORT_FLAGS else []
    group.add_argument(*flags, f"--{name}", help=help_text, **options)
    old_flags = [f"--{old}" for old, new in RENAMED_FIELDS.items() if new == name]
    if old_flags:
        add_alias(group, *old_flags, **options)


def recipe_from_options(
    flags: RecipeFlags, dataset: str | None = None, model: str | None = None
) -> Recipe:
    """The recipe that the options name, with the values that were given.

    Args:
        flags: what the user gave.
        dataset: kind of the dataset, for which a model may have its own default recipe.
        model: name of the model, instead of that in `flags`.

    Raises:
        UserError: no such recipe, a recipe of another model, or a value out of range.
    """
    name, model = flags.recipe, model or flags.model
    if name and name.endswith(".json"):
        recipe = read_recipe(name)
        if model not in (None, recipe.model):
            raise UserError(
                name,
                f"a recipe of model {recipe.model}, and --model {model} was given",
                "drop one of the two",
            )
        return recipe.replace(**flags.overrides)
    model = model or DEFAULT_MODEL
    if name is None and dataset is not None:
        name = model_entry(model).recipes.FOR_DATASET.get(dataset)
    return named_recipe(model, name, **flags.overrides)
