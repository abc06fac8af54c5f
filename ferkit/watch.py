"""A watch over training: says in words when it collapsed to one class or broke, and what to try."""

import contextlib
import errno
import re

import numpy as np

from .atomic import writing_failed
from .errors import UserError

COLLAPSE_SHARE = 0.95


@contextlib.contextmanager
def training_failures(trainer):
    """Within, what TensorFlow and the system raise on a full memory, a full disk or a lost worker becomes the user's one line."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise _out_of_memory(trainer.recipe) from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise writing_failed(trainer.run.path, error) from error
    except tf.errors.OpError as error:
        if trainer.devices.workers == 1:
            raise
        raise _lost_worker(trainer, error) from error


def _out_of_memory(recipe):
    if recipe.batch_size == 1:
        return UserError("training: out of memory with a single image a step; take a smaller --image_size or a smaller model.")
    half = max(1, recipe.batch_size // recipe.accumulate // 2)
    return UserError(
        f"training: out of memory with --batch_size {recipe.batch_size}; nothing saved was lost. Try --accumulate "
        f"{-(-recipe.batch_size // half)}: the same batch, computed {half} images at a time; or a smaller --batch_size, "
        f"{half} for example."
    )


def _lost_worker(trainer, error):
    devices = trainer.devices
    named = {int(number) for number in re.findall(r"task:(\d+)", str(error))} - {devices.worker}
    lost = named or set(range(devices.workers)) - {devices.worker}
    names = ", ".join(devices.addresses[number] for number in sorted(lost) if number < devices.workers)
    return UserError(
        f"training: worker {names} does not answer any more, in epoch {trainer.epoch + 1}, step {trainer.step + 1}. Start all "
        "workers again, with --resume: they go on from the last checkpoint."
    )


class TrainingWatch:
    """Looks at every epoch and speaks when something is wrong.

    Example:
        >>> for line in TrainingWatch(recipe, class_names).after_epoch(3, confusion):
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
            self._broken(f"the loss became NaN or infinite in epoch {epoch + 1}, step {int(finite_steps) + 1}")

    def check_weights(self, weights, epoch: int):
        """Stop on weights that are no numbers: a ReLU turns NaN into zero on some CPUs, and the loss then looks harmless.

        Raises:
            UserError: with what to try.
        """
        if not all(np.isfinite(weight).all() for weight in weights):
            self._broken(f"weights became NaN or infinite in epoch {epoch + 1}")

    def _broken(self, what):
        rate = self._recipe.learning_rate
        kept = f"the last good checkpoint stays in {self._kept_in}" if self._kept_in else "what was saved before stays"
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
