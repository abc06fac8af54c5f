"""Recipe fields as command-line flags."""

import dataclasses

from ferkit.errors import UserError
from ferkit.models.registry import DEFAULT_MODEL, MODELS, model_entry
from ferkit.recipes.named import named_recipe, read_recipe
from ferkit.recipes.recipe import Recipe


def recipe_overrides(options):
    """The recipe fields and model options that stand on the command line."""
    names = {field.name for field in dataclasses.fields(Recipe) if field.metadata}
    names |= {name for entry in MODELS.values() for name in entry.recipes.OPTIONS}
    return {name: value for name, value in vars(options).items() if name in names}


def recipe_from_options(options, given, dataset=None, model=None):
    """The recipe named, that of a file, or the model's own for this kind of dataset."""
    name = getattr(options, "recipe", None)
    asked = model or getattr(options, "model", None)
    if name and name.endswith(".json"):
        recipe = read_recipe(name)
        if asked not in (None, recipe.model):
            raise UserError(
                f"{name}: a recipe of model {recipe.model}, and --model {asked} was given; drop one of the two."
            )
        return recipe.replace(**given)
    asked = asked or DEFAULT_MODEL
    return named_recipe(
        asked, name or getattr(model_entry(asked).recipes, "FOR_DATASET", {}).get(dataset), **given
    )
