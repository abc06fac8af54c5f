"""Weights that ship with the project, by name.

The file is NAME.keras in the folder weights/ of a model package, next to its model card.
"""

import importlib.util
from pathlib import Path

from ferkit.errors import UserError, nearest
from ferkit.models.registry import MODELS

COMPILED_SUFFIXES = (".tflite", ".onnx")  # of files that predict without TensorFlow
MODEL_SUFFIXES = (".keras", *COMPILED_SUFFIXES)


def shipped_weights() -> dict[str, Path]:
    """Name -> file of all shipped weights, found in the installed packages."""
    return {path.stem: path for folder in _folders() for path in sorted(folder.glob("*.keras"))}


def default_weights(model: str | None = None) -> Path | None:
    """The shipped weights that are used when none are named.

    Args:
        model: name of a model; None: any model, the first in the registry that has weights.

    Returns:
        The file, or None if no such weights ship.
    """
    known = shipped_weights()
    names = [f"{name}-fer2013" for name in ([model] if model else MODELS)]
    return next((known[name] for name in names if name in known), None)


def model_file(name_or_path: str, flag: str = "") -> Path:
    """The file of shipped weights, by their name, or the file at this path.

    Args:
        name_or_path: "dan-fer2013", or the path of a .keras, .tflite or .onnx file.
        flag: the flag that it was given with, for the error message.

    Raises:
        UserError: no such weights and no such file.
    """
    known = shipped_weights()
    if name_or_path in known:
        return known[name_or_path]
    path = Path(name_or_path)
    if path.is_file():
        return path
    is_path = path.suffix in MODEL_SUFFIXES or path.name != name_or_path
    problem = "no such file" if is_path else f"no such weights{nearest(name_or_path, known)}"
    raise UserError(
        f"{flag} {name_or_path}".strip(),
        problem,
        f"give a .keras file, or shipped weights: {', '.join(known) or 'none'}",
    )


def is_weights_folder(folder: str | Path) -> bool:
    """Whether the weights in this folder are shipped weights."""
    return Path(folder).resolve() in [shipped.resolve() for shipped in _folders()]


def _folders() -> list[Path]:
    specs = (importlib.util.find_spec(entry.package) for entry in MODELS.values())
    return [Path(spec.origin).parent / "weights" for spec in specs if spec and spec.origin]
