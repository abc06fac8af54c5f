"""Turns failures of a training (memory, disk, lost workers) into one-line user errors."""

import contextlib
import errno
import re

from ferkit.errors import UserError
from ferkit.files import write_error


@contextlib.contextmanager
def user_errors(trainer):
    """Within, what TensorFlow and the system raise on a full memory, a full disk or a lost worker becomes the user's one line."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise _out_of_memory(trainer.recipe) from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise write_error(trainer.run.path, error) from error
    except tf.errors.OpError as error:
        if trainer.devices.workers == 1:
            raise
        raise _lost_worker(trainer, error) from error


def _out_of_memory(recipe):
    if recipe.batch_size == 1:
        return UserError(
            "training: out of memory with a single image a step; take a smaller --image_size or a smaller model."
        )
    half = max(1, recipe.batch_size // recipe.accumulate_steps // 2)
    return UserError(
        f"training: out of memory with --batch_size {recipe.batch_size}; nothing saved was lost. Try --accumulate_steps "
        f"{-(-recipe.batch_size // half)}: the same batch, computed {half} images at a time; or a smaller --batch_size, "
        f"{half} for example."
    )


def _lost_worker(trainer, error):
    devices = trainer.devices
    named = {int(number) for number in re.findall(r"task:(\d+)", str(error))} - {devices.worker}
    lost = named or set(range(devices.workers)) - {devices.worker}
    names = ", ".join(
        devices.addresses[number] for number in sorted(lost) if number < devices.workers
    )
    return UserError(
        f"training: worker {names} does not answer any more, in epoch {trainer.epoch + 1}, step {trainer.step + 1}. Start all "
        "workers again, with --resume: they go on from the last checkpoint."
    )
