"""Which model file a command uses."""

from pathlib import Path

from ferkit.errors import UserError
from ferkit.models.shipped_weights import weights_file
from ferkit.training.run_folder import RunFolder


def find_checkpoint(checkpoint=None, run=None, model=None, weights=None) -> Path:
    """The file to use: `checkpoint` itself, the shipped `weights` of that name, best.keras of the run folder `run`, or of the
    newest run (of that model).

    Raises:
        UserError: no such file, weights, run or finished epoch; or more than one of them.
    """
    given = [
        f"--{name}"
        for name, value in (("checkpoint", checkpoint), ("weights", weights), ("run", run))
        if value
    ]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)}: each names a model; give one of them.")
    if weights:
        return weights_file(weights)
    if checkpoint:
        if not Path(checkpoint).is_file():
            raise UserError(
                f"{checkpoint}: no such file; give a .keras file with --checkpoint, or a run folder with --run."
            )
        return Path(checkpoint)
    folder = RunFolder.existing(run) if run else RunFolder.newest(model)
    if not folder.best.is_file():
        raise UserError(
            f"{folder.path}: no best.keras yet, its first epoch has not ended; go on with: {resume_command(folder)}"
        )
    return folder.best


def resume_command(run) -> str:
    """What to type to go on with a run."""
    return f"python main.py train --resume --run {run.path}"
