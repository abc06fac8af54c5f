"""The contestants of a comparison: backbones, ablations or models."""

from collections.abc import Callable

from ferkit.comparison.plan import _no_doubles
from ferkit.errors import UserError
from ferkit.models.registry import MODELS, model_entry
from ferkit.recipes.recipe import Recipe


def default_model() -> str:
    """The model that is compared where none is named: the first that says what can be taken away from it."""
    return next(name for name, entry in MODELS.items() if hasattr(entry.recipes, "ABLATIONS"))


def choose_contestants(options, recipe_of: Callable[[str], Recipe]) -> dict[str, Recipe]:
    """The contestants that the command line names.

    Args:
        options: with ``backbones``, ``ablate`` and ``models``, lists or None, and ``model`` if it was given.
        recipe_of: from a model's name to its recipe with the user's values.

    Raises:
        UserError: none named, one named twice or unknown, or flags that do not go together.
    """
    for flag in ("backbones", "ablate", "models"):
        _no_doubles(f"--{flag}", getattr(options, flag) or [])
    if options.models:
        if options.backbones or options.ablate or hasattr(options, "model"):
            raise UserError(
                "--models: does not go with --model, --backbones or --ablate, which vary one model; drop one side."
            )
        return {model: recipe_of(model) for model in options.models}
    if not (options.backbones or options.ablate):
        raise UserError(
            "compare: no contestants; name some with --backbones, --ablate or --models. See: compare --help"
        )
    base = recipe_of(getattr(options, "model", default_model()))
    named = _with_backbones(base, options) if options.backbones else {"": base}
    if options.ablate:
        named = {
            _joined(name, part): changed
            for name, own in named.items()
            for part, changed in _ablated(own, options.ablate)
        }
    return named


def _joined(name, part):
    return f"{name}-{part}" if name else part


def _with_backbones(base, options):
    known = model_entry(base.model).recipes.OPTIONS.get("backbone")
    if known is None:
        raise UserError(
            f"--backbones: model {base.model} has no choice of backbones; compare with --models, or another --model."
        )
    if hasattr(options, "backbone"):
        raise UserError(
            f"--backbone {options.backbone}: does not go with --backbones; drop one of the two."
        )
    for name in options.backbones:
        if name not in known[1]:
            raise UserError(f"--backbones {name}: unknown; known: {', '.join(known[1])}.")
    return {name: base.replace(backbone=name) for name in options.backbones}


def _ablated(recipe, parts):
    """``(name, recipe)`` of the whole, of the whole without each of the parts, and without any."""
    module = model_entry(recipe.model).recipes
    known = getattr(module, "ABLATIONS", None)
    if not known:
        raise UserError(
            f"--ablate: model {recipe.model} has no parts to take away; compare with --models, or another --model."
        )
    for part in parts:
        if part not in known:
            raise UserError(f"--ablate {part}: unknown; known: {', '.join(known)}.")
    made = {"full": recipe, **{f"no-{part}": recipe.replace(**known[part]) for part in parts}}
    for part in parts:
        if made[f"no-{part}"] == recipe:
            raise UserError(
                f"--ablate {part}: changes nothing, the recipe is without it already; drop it."
            )
    plain = recipe.replace(**module.PLAIN)
    return [*made.items(), *([] if plain in made.values() else [("plain", plain)])]
