"""Weights that come with the project, by name: NAME.keras in a model package's folder weights/, with its model card beside it."""

import importlib.util
from pathlib import Path

from ferkit.errors import UserError, nearest
from ferkit.models.registry import MODELS


def shipped_weights() -> dict[str, Path]:
    """All of them: name -> file. They lie in the packages, wherever those are installed."""
    return {path.stem: path for folder in _folders() for path in sorted(folder.glob("*.keras"))}


def default_weights(model: str | None = None) -> Path | None:
    """The weights that ship for a model (of any, if None) and are meant for use; None where none do."""
    known = shipped_weights()
    names = [f"{name}-fer2013" for name in ([model] if model else MODELS)]
    return next((known[name] for name in names if name in known), None)


def model_file(name_or_path: str) -> Path:
    """A .keras file by its path, or shipped weights by their name.

    Raises:
        UserError: there is no such file, or no such weights.
    """
    if not name_or_path.endswith(".keras"):
        return weights_file(name_or_path)
    if not Path(name_or_path).is_file():
        raise UserError(
            f"{name_or_path}: no such file; give a .keras file, or one of: {', '.join(shipped_weights())}."
        )
    return Path(name_or_path)


def is_weights_folder(folder: str | Path) -> bool:
    """Whether files in this folder are found by name."""
    return Path(folder).resolve() in [own.resolve() for own in _folders()]


def _folders():
    return [
        Path(importlib.util.find_spec(entry.package).origin).parent / "weights"
        for entry in MODELS.values()
    ]


def weights_file(name: str) -> Path:
    """The file of these weights.

    Raises:
        UserError: no weights of that name; the known ones are named.
    """
    known = shipped_weights()
    if name not in known:
        hint = " A file is given with --checkpoint." if name.endswith(".keras") else ""
        there = ", ".join(known) or "none"
        raise UserError(
            f"--weights {name}: no such weights{nearest(name, known)}; there are: {there}.{hint}"
        )
    return known[name]
