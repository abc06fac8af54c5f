"""Saved models.

Finding the file that the user means, and loading it with every failure in one line.
"""

import zipfile
from pathlib import Path

import keras

from ferkit.errors import UserError
from ferkit.models.registry import entry_of_model, import_custom_objects


def load_model(
    path: str | Path,
    model: str | None = None,
    class_names: tuple[str, ...] | list[str] | None = None,
) -> keras.Model:
    """Load a saved model of ours.

    Args:
        path: a .keras file.
        model: the model's name it must be of, if given.
        class_names: the dataset's class names it must have, in order, if given.

    Returns:
        The Keras model.

    Raises:
        UserError: damaged or truncated, no model of ours, another model, or other classes.
    """
    import keras

    path = Path(path)
    if not zipfile.is_zipfile(path):
        size = path.stat().st_size if path.exists() else 0
        raise UserError(
            f"{path}: not a whole .keras file (received {size:,} bytes: truncated, or another format); copy it again."
        )
    import_custom_objects()
    try:
        loaded = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever the damaged or foreign content leads to
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UserError(
            f"{path}: cannot be loaded ({reason}); it is damaged or not a model of this program."
        ) from error
    entry = entry_of_model(loaded)
    if entry is None:
        raise UserError(
            f"{path}: a Keras model, but none of this program's; train one with: python main.py train"
        )
    if model and entry.name != model:
        raise UserError(
            f"{path}: holds a {entry.name} model, and --model {model} was asked for; drop --model or take another file."
        )
    if class_names is not None and tuple(class_names) != tuple(loaded.class_names):
        raise UserError(
            f"{path}: knows the classes {', '.join(loaded.class_names)}, and the dataset has {', '.join(class_names)}; "
            "evaluate on a dataset with the same classes in the same order."
        )
    return loaded
