"""Health checks of a training: detects a collapse to one class and broken numbers."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

from ferkit.errors import UserError
from ferkit.recipes.recipe import Recipe

COLLAPSE_SHARE = 0.95


class HealthChecks:
    """Checks every epoch, and says what is wrong and what to try.

    Args:
        recipe: hyperparameters.
        class_names: names of the classes.
        checkpoint_folder: folder of the checkpoints, for messages.

    Attributes:
        collapsed_epochs: epochs in which the model predicted a single class.

    Example:
        >>> for line in HealthChecks(recipe, class_names).after_epoch(3, confusion):
        ...     print(line)
    """

    def __init__(
        self, recipe: Recipe, class_names: Sequence[str], checkpoint_folder: Path | None = None
    ) -> None:
        self._recipe, self._names = recipe, class_names
        self._checkpoint_folder = checkpoint_folder
        self.collapsed_epochs = 0

    def check_steps(self, finite_steps: float, epoch: int, step: int) -> None:
        """Stop if the loss is not finite.

        Args:
            finite_steps: number of steps of this epoch with a finite loss.
            epoch: number of finished epochs.
            step: number of finished steps in this epoch.

        Raises:
            UserError: says at which step, and what to try; saved files remain.
        """
        if finite_steps < step:
            first = int(finite_steps) + 1
            self._fail(f"the loss became NaN or infinite in epoch {epoch + 1}, step {first}")

    def check_weights(self, weights: Iterable[np.ndarray], epoch: int) -> None:
        """Stop if a weight is not finite.

        On some CPUs ReLU turns NaN into zero, so the loss does not show it.

        Raises:
            UserError: says what to try.
        """
        if not all(np.isfinite(weight).all() for weight in weights):
            self._fail(f"weights became NaN or infinite in epoch {epoch + 1}")

    def _fail(self, problem: str) -> NoReturn:
        saved = "saved files remain"
        if self._checkpoint_folder:
            saved = f"the last good checkpoint remains in {self._checkpoint_folder}"
        rate = self._recipe.learning_rate
        advice = (
            f"start a new run with a smaller --learning_rate (this run: {rate:g}; try a tenth), "
            "--warmup_epochs 1 or --clip_norm 1"
        )
        raise UserError("training", f"{problem}; {saved}", advice)

    def after_epoch(self, epoch: int, confusion: np.ndarray) -> list[str]:
        """Messages for the user after an epoch.

        Args:
            epoch: number of finished epochs.
            confusion: of the validation split, ``(classes, classes)``, true class first.
        """
        predicted = confusion.sum(axis=0)
        occurring = int((confusion.sum(axis=1) > 0).sum())
        share = predicted.max() / max(predicted.sum(), 1)
        if occurring < 2 or share < COLLAPSE_SHARE:
            recovered = self.collapsed_epochs > 1
            self.collapsed_epochs = 0
            return ["The model predicts more than one class again."] if recovered else []
        self.collapsed_epochs += 1
        if self.collapsed_epochs not in (2, 10, 50):
            return []
        name, rate = self._names[int(predicted.argmax())], self._recipe.learning_rate
        return [
            f"Warning: for {self.collapsed_epochs} epochs the model has predicted {name!r} for "
            f"{share:.0%} of the validation images. It has collapsed to one class; its accuracy is "
            "that class's share.",
            f"  Try: --learning_rate {rate / 5:g} (this run: {rate:g}), or --warmup_epochs 1, or "
            f"another "
            "--seed; variants with batch normalization collapse less often.",
        ]
