"""Recipes by name and from files."""

import json
from pathlib import Path
from typing import Any

from ferkit.errors import UserError
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
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        values = values.get("recipe", values)
        return Recipe.from_dict(values)
    except FileNotFoundError as error:
        advice = "give a run's recipe.json, or the name of a recipe"
        raise UserError(f"--recipe {path}", "no such file", advice) from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        problem = f"cannot be read as a recipe ({error})"
        raise UserError(f"--recipe {path}", problem, "give a run's recipe.json") from error
    except UserError as error:
        raise UserError(f"{path}: {error.where}", error.problem, error.advice) from error
