"""Load a saved model of this program, with one-line errors."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from ferkit.errors import UserError, first_line
from ferkit.models.archive_checks import check_archive
from ferkit.models.registry import entry_of_model, import_custom_objects
from ferkit.models.shipped_weights import COMPILED_SUFFIXES


def load_model(
    path: str | Path, model: str | None = None, class_names: Sequence[str] | None = None
) -> keras.Model:
    """Load a saved model of this program.

    Args:
        path: a .keras file.
        model: name of the model that the file must contain; None: any.
        class_names: class names that the model must have, in this order; None: any.

    Returns:
        The Keras model.

    Raises:
        UserError: the file is damaged or was not made by this program, or contains another model or
            other classes.
    """
    path = Path(path)
    if path.suffix in COMPILED_SUFFIXES and path.is_file():
        advice = "give the .keras file that it was made from"
        raise UserError(path, "a compiled model; this needs the Keras model", advice)
    if not zipfile.is_zipfile(path):
        size = path.stat().st_size if path.exists() else 0
        raise UserError(
            path,
            f"not a complete .keras file (received {size:,} bytes: truncated, or another format)",
            "copy it again",
        )
    check_archive(path)
    import_custom_objects()
    try:
        loaded = keras.models.load_model(path, compile=False)
    except Exception as error:  # the type of error depends on the content of a damaged file
        raise UserError(
            path,
            f"cannot be loaded ({_reason(error)}): damaged, or not a model of this program",
            "copy it again, or give another file",
        ) from error
    entry = entry_of_model(loaded)
    if entry is None:
        raise UserError(
            path,
            "a Keras model that was not made by this program",
            "train a model with: python main.py train",
        )
    if model and entry.name != model:
        raise UserError(
            path,
            f"contains a {entry.name} model, expected --model {model}",
            "omit --model, or give another file",
        )
    if class_names is not None and tuple(class_names) != tuple(loaded.class_names):
        raise other_classes(path, loaded.class_names, class_names)
    _check_finite(path, loaded)
    return loaded


def _check_finite(path: Path, model: keras.Model) -> None:
    for weight in model.weights:
        if not np.isfinite(weight.numpy()).all():
            raise UserError(
                path,
                f"its weights {weight.path} are not all finite numbers",
                "give another checkpoint, or train again with a lower learning rate",
            )


def _reason(error: Exception) -> str:
    """The first line of the exception that Keras reports inside its own, or of its own."""
    _, _, inner = str(error).partition("Exception encountered: ")
    return first_line(ValueError(inner)) if inner else first_line(error)


def other_classes(path: Path, of_model: Sequence[str], of_dataset: Sequence[str]) -> UserError:
    """The error for a model and a dataset with different classes."""
    return UserError(
        path,
        f"the model has the classes {', '.join(of_model)}, "
        f"and the dataset has {', '.join(of_dataset)}",
        "use a dataset with the same classes in the same order",
    )
