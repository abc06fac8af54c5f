"""Which model file a command uses: one rule for all commands."""

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ferkit.cli.arguments import add_alias, model_name
from ferkit.errors import UserError
from ferkit.models.registry import MODELS
from ferkit.models.shipped_weights import default_weights, model_file, shipped_weights
from ferkit.process import program

if TYPE_CHECKING:
    from ferkit.training.run_folder import RunFolder

Default = Literal["shipped weights", "newest run", "new models"]
_MODEL_HELP: dict[Default, str] = {
    "shipped weights": "shipped weights of this model",
    "newest run": "newest run of this model",
    "new models": "new models of this kind",
}
_RUN_HELP: dict[Default, str] = {
    "shipped weights": "best.keras of this run folder",
    "newest run": "best.keras of this run folder (default: newest run)",
    "new models": "best.keras of this run folder",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """What the user gave to name a model file.

    Attributes:
        model: the name of the model that the file must hold.
        run: a run folder, whose best.keras is used.
        weights: what ``model_file`` takes: a name of shipped weights, a file, a preset.
        checkpoint: the same; the flag --checkpoint is an alias.
    """

    model: str | None
    run: str | None
    weights: str | None
    checkpoint: str | None

    @property
    def names_a_file(self) -> bool:
        """Whether the user named one certain file."""
        return bool(self.run or self.weights or self.checkpoint)


def add_model_choice(group: argparse._ActionsContainer, default: Default) -> None:
    """Add the flags that name a model file.

    Args:
        group: the parser or group that gets the flags.
        default: what the command uses when none is given.
    """
    group.add_argument(
        "-m",
        "--model",
        type=model_name,
        choices=list(MODELS),
        default=None,
        help=_MODEL_HELP[default],
    )
    group.add_argument(
        "--run",
        default=None,
        metavar="DIR",
        help=_RUN_HELP[default],
    )
    group.add_argument(
        "--weights",
        default=None,
        metavar="NAME|FILE",
        help="a model file, the folder of a preset, hf://OWNER/NAME, kaggle://..., or shipped "
        f"weights: {', '.join(shipped_weights())}",
    )
    add_alias(group, "--checkpoint", default=None)


def resolve(choice: ModelChoice, default: Default) -> Path:
    """The model file to use.

    The first of these that applies:

    1. ``--weights`` (or ``--checkpoint``): the shipped weights of that name, or the file.
    2. ``--run``: best.keras of that run folder.
    3. The default: the shipped weights (of ``--model``), or best.keras of the newest run (of
       ``--model``). Where a model has no shipped weights, its newest run is used.

    Raises:
        UserError: no such file, weights, run or finished epoch; or more than one was given.
    """
    named = {"--weights": choice.weights, "--checkpoint": choice.checkpoint, "--run": choice.run}
    flags = [flag for flag, value in named.items() if value]
    if len(flags) > 1:
        raise UserError(" and ".join(flags), "each names a model", "give only one of them")
    if choice.weights:
        return model_file(choice.weights, "--weights")
    if choice.checkpoint:
        return model_file(choice.checkpoint, "--checkpoint")
    if default == "shipped weights" and not choice.run:
        shipped = default_weights(choice.model)
        if shipped:
            return shipped
    return _best_of_run(choice.run, choice.model)


def _best_of_run(path: str | None, model: str | None) -> Path:
    from ferkit.training.run_folder import RunFolder  # late: imports NumPy

    run = RunFolder.existing(path) if path else RunFolder.newest_existing(model)
    if not run.best.is_file():
        raise UserError(
            run.path,
            "no best.keras yet because its first epoch is not finished",
            f"resume it with: {resume_command(run)}",
        )
    return run.best


def resume_command(run: "RunFolder") -> str:
    """The command line that resumes a run."""
    return f"{program()} train --resume --run {run.path}"
