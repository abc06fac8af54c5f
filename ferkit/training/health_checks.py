"""A watch over training: says in words when it collapsed to one class or broke, and what to try."""

import numpy as np

from ferkit.errors import UserError

COLLAPSE_SHARE = 0.95


class HealthChecks:
    """Looks at every epoch and speaks when something is wrong.

    Example:
        >>> for line in HealthChecks(recipe, class_names).after_epoch(3, confusion):
        ...     print(line)
    """

    def __init__(self, recipe, class_names, kept_in=None):
        self._recipe, self._names, self._kept_in = recipe, class_names, kept_in
        self.collapsed_epochs = 0

    def check_steps(self, finite_steps: float, epoch: int, step: int):
        """Stop on a loss that is no number.

        Args:
            finite_steps: how many steps of this epoch had a finite loss; weights that are no numbers stay so.
            epoch, step: where the training stands.

        Raises:
            UserError: with the step and what to try; what was saved before stays.
        """
        if finite_steps < step:
            self._broken(
                f"the loss became NaN or infinite in epoch {epoch + 1}, step {int(finite_steps) + 1}"
            )

    def check_weights(self, weights, epoch: int):
        """Stop on weights that are no numbers: a ReLU turns NaN into zero on some CPUs, and the loss then looks harmless.

        Raises:
            UserError: with what to try.
        """
        if not all(np.isfinite(weight).all() for weight in weights):
            self._broken(f"weights became NaN or infinite in epoch {epoch + 1}")

    def _broken(self, what):
        rate = self._recipe.learning_rate
        kept = (
            f"the last good checkpoint stays in {self._kept_in}"
            if self._kept_in
            else "what was saved before stays"
        )
        raise UserError(
            f"training: {what}; {kept}. Start a new run with a smaller --learning_rate (this run: {rate:g}; a tenth of it is a "
            "good start), --warmup_epochs 1 or --clip_norm 1."
        )

    def after_epoch(self, epoch: int, confusion: np.ndarray) -> list[str]:
        """What to tell the user after an epoch; `confusion` (classes, classes) is the validation's, rows true."""
        predicted = confusion.sum(axis=0)
        occurring = int((confusion.sum(axis=1) > 0).sum())
        share = predicted.max() / max(predicted.sum(), 1)
        if occurring < 2 or share < COLLAPSE_SHARE:
            recovered = self.collapsed_epochs > 1
            self.collapsed_epochs = 0
            return ["The model answers with more than one class again."] if recovered else []
        self.collapsed_epochs += 1
        if self.collapsed_epochs not in (2, 10, 50):
            return []
        name = self._names[int(predicted.argmax())]
        return [
            f"Warning: for {self.collapsed_epochs} epochs the model has answered {name!r} to {share:.0%} of the validation "
            "images: it has collapsed to one class, and its accuracy is just that class's share.",
            f"  Try: --learning_rate {self._recipe.learning_rate / 5:g} (this run: {self._recipe.learning_rate:g}), or "
            "--warmup_epochs 1, or another --seed; a variant with batch normalization collapses less.",
        ]
