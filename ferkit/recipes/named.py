"""Recipes by name and from files."""

import json
from pathlib import Path
from typing import Any

from ferkit.errors import UserError, foreign_format
from ferkit.models.registry import model_entry
from ferkit.recipes.recipe import Recipe


def named_recipe(model: str, name: str | None = None, **changes: Any) -> Recipe:
    """The recipe of that name of a model package, with the user's values.

    Raises:
        UserError: unknown model, recipe or option, or a value out of range.
    """
    module = model_entry(model).recipes
    name = name or module.DEFAULT
    if name not in module.RECIPES:
        problem = f"model {model} has no such recipe"
        raise UserError(f"--recipe {name}", problem, f"it has: {', '.join(module.RECIPES)}")
    return Recipe(model=model, name=name, **module.RECIPES[name]).replace(**changes)


def read_recipe(path: str | Path) -> Recipe:
    """A recipe from a file: a run's recipe.json, or the fields alone.

    Raises:
        UserError: no such file, not JSON, an unknown field or a value out of range.
    """
    if not Path(path).exists():
        advice = "give a run's recipe.json, or the name of a recipe"
        raise UserError(f"--recipe {path}", "no such file", advice)
    where, advice = f"--recipe {path}", "give a run's recipe.json"
    try:
        with foreign_format(UserError, where, "cannot be read as a recipe", advice):
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            fields = values.get("recipe", values)
            if not fields:
                raise ValueError("it is empty")
            return Recipe.from_dict(fields)
    except UserError as error:
        if error.where == where:
            raise
        raise UserError(f"{path}: {error.where}", error.problem, error.advice) from error
