"""Saved models: finding the file that the user means, and loading it with every failure in one line."""

import zipfile
from pathlib import Path

from .errors import UserError
from .registry import entry_of_model, import_custom_objects
from .run_folder import RunFolder
from .weights import weights_file


def find_checkpoint(checkpoint=None, run=None, model=None, weights=None) -> Path:
    """The file to use: `checkpoint` itself, the shipped `weights` of that name, best.keras of the run folder `run`, or of the
    newest run (of that model).

    Raises:
        UserError: no such file, weights, run or finished epoch; or more than one of them.
    """
    given = [f"--{name}" for name, value in (("checkpoint", checkpoint), ("weights", weights), ("run", run)) if value]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)}: each names a model; give one of them.")
    if weights:
        return weights_file(weights)
    if checkpoint:
        if not Path(checkpoint).is_file():
            raise UserError(f"{checkpoint}: no such file; give a .keras file with --checkpoint, or a run folder with --run.")
        return Path(checkpoint)
    folder = RunFolder.existing(run) if run else RunFolder.newest(model)
    if not folder.best.is_file():
        raise UserError(f"{folder.path}: no best.keras yet, its first epoch has not ended; go on with: {resume_command(folder)}")
    return folder.best


def resume_command(run) -> str:
    """What to type to go on with a run."""
    return f"python main.py train --resume --run {run.path}"


def load_model(path: str | Path, model: str | None = None, class_names=None):
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
        raise UserError(f"{path}: cannot be loaded ({reason}); it is damaged or not a model of this program.") from error
    entry = entry_of_model(loaded)
    if entry is None:
        raise UserError(f"{path}: a Keras model, but none of this program's; train one with: python main.py train")
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
