"""The contestants of a comparison: backbones, ablations or models."""

from collections.abc import Callable, Sequence

from ferkit.comparison.plan import check_no_duplicates
from ferkit.errors import UserError
from ferkit.models.registry import MODELS, model_entry
from ferkit.recipes.recipe import Recipe


def default_model() -> str:
    """The model to compare if none is named: the first one whose package lists ablations."""
    return next(name for name, package in MODELS.items() if package.recipes.ABLATIONS)


def choose_contestants(
    recipe_of: Callable[[str], Recipe],
    *,
    backbones: Sequence[str] | None = None,
    ablate: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    model: str | None = None,
    backbone: str | None = None,
) -> dict[str, Recipe]:
    """The contestants that the user named: name -> recipe.

    Args:
        recipe_of: returns the recipe of a model, by its name, with the user's values.
        backbones: backbones of one model.
        ablate: parts of one model to leave out.
        models: several models; then none of the others may be given.
        model: the model whose backbones or parts are compared; None: ``default_model()``.
        backbone: the backbone of --backbone, which contradicts `backbones`.

    Raises:
        UserError: none named, one named twice or unknown, or flags that contradict each other.
    """
    for flag, names in (("--backbones", backbones), ("--ablate", ablate), ("--models", models)):
        check_no_duplicates(flag, names or [])
    if models:
        if backbones or ablate or model:
            raise UserError(
                "--models",
                "does not go with --model, --backbones or --ablate, which vary one model",
                "drop one side",
            )
        return {name: recipe_of(name) for name in models}
    if not (backbones or ablate):
        raise UserError(
            "compare",
            "no contestants",
            "name some with --backbones, --ablate or --models; see: python main.py compare --help",
        )
    base = recipe_of(model or default_model())
    named = _with_backbones(base, backbones, backbone) if backbones else {"": base}
    if ablate:
        named = {
            _joined(name, part): changed
            for name, recipe in named.items()
            for part, changed in _ablated(recipe, ablate)
        }
    return named


def _joined(name: str, part: str) -> str:
    return f"{name}-{part}" if name else part


def _with_backbones(
    base: Recipe, backbones: Sequence[str], backbone: str | None
) -> dict[str, Recipe]:
    option = model_entry(base.model).recipes.OPTIONS.get("backbone")
    known = option[1] if option else None
    if not known:
        raise UserError(
            "--backbones",
            f"model {base.model} has no choice of backbones",
            "compare with --models, or give another --model",
        )
    if backbone is not None:
        raise UserError(
            f"--backbone {backbone}", "does not go with --backbones", "drop one of the two"
        )
    for name in backbones:
        if name not in known:
            raise UserError(f"--backbones {name}", "unknown", f"choose from {', '.join(known)}")
    return {name: base.replace(backbone=name) for name in backbones}


def _ablated(recipe: Recipe, parts: Sequence[str]) -> list[tuple[str, Recipe]]:
    """``(name, recipe)`` of the full model, without each of the parts, and without any part."""
    module = model_entry(recipe.model).recipes
    known = module.ABLATIONS
    if not known:
        raise UserError(
            "--ablate",
            f"model {recipe.model} has no parts to leave out",
            "compare with --models, or give another --model",
        )
    for part in parts:
        if part not in known:
            raise UserError(f"--ablate {part}", "unknown", f"choose from {', '.join(known)}")
    ablated = {"full": recipe, **{f"no-{part}": recipe.replace(**known[part]) for part in parts}}
    for part in parts:
        if ablated[f"no-{part}"] == recipe:
            raise UserError(
                f"--ablate {part}", "changes nothing: the recipe leaves it out already", "drop it"
            )
    plain = recipe.replace(**module.PLAIN)
    return [*ablated.items(), *([] if plain in ablated.values() else [("plain", plain)])]
