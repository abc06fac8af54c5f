"""The file of a model: weights that ship with the project by name, a path, a preset, or a hub.

A shipped file is NAME.keras in the folder weights/ of a model package, next to its model card.
"""

import importlib.util
from pathlib import Path

from ferkit.errors import UserError, nearest
from ferkit.hub.models import download_model
from ferkit.models.preset_archive import packed_preset
from ferkit.models.registry import MODELS
from model_presets.hubs import is_address

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
    """The file of a model. Everything that names a model takes what this function takes.

    Args:
        name_or_path: shipped weights, "dan-fer2013"; the path of a .keras, .tflite or .onnx file;
            the folder of a preset; or an address, "hf://OWNER/NAME" or
            "kaggle://OWNER/MODEL/FRAMEWORK/VARIATION", which is downloaded once.
        flag: the flag that it was given with, for the error message.

    Raises:
        UserError: no such weights, file or preset, or the hub cannot be reached or refused.

    Example:
        >>> model_file("hf://somebody/faces").name
        'faces.keras'
    """
    known = shipped_weights()
    if name_or_path in known:
        return known[name_or_path]
    where = f"{flag} {name_or_path}".strip()
    if is_address(name_or_path):
        folder = download_model(name_or_path, flag)
        return packed_preset(folder, name_or_path.rstrip("/").rpartition("/")[2], where)
    path = Path(name_or_path)
    if path.is_file():
        return path
    if path.is_dir():
        return packed_preset(path, path.resolve().name, where)
    is_path = path.suffix in MODEL_SUFFIXES or path.name != name_or_path
    problem = "no such file" if is_path else f"no such weights{nearest(name_or_path, known)}"
    raise UserError(
        where,
        problem,
        f"give a .keras file, or shipped weights: {', '.join(known) or 'none'}",
    )


def is_weights_folder(folder: str | Path) -> bool:
    """Whether the weights in this folder are shipped weights."""
    return Path(folder).resolve() in [shipped.resolve() for shipped in _folders()]


def _folders() -> list[Path]:
    specs = (importlib.util.find_spec(entry.package) for entry in MODELS.values())
    return [Path(spec.origin).parent / "weights" for spec in specs if spec and spec.origin]
