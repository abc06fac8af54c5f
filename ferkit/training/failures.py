"""Turns failures of a training (memory, disk, images, lost workers) into one-line user errors."""

import contextlib
import errno
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import tensorflow as tf

from ferkit.errors import UserError
from ferkit.files import write_error
from ferkit.recipes.recipe import Recipe
from generate_data.errors import DataError

if TYPE_CHECKING:
    from ferkit.training.trainer import Trainer


@contextlib.contextmanager
def user_errors(trainer: "Trainer") -> Iterator[None]:
    """In this context, these raise a one-line UserError.

    Memory or disk are full, an image file is lost or damaged, or a worker is lost.
    """
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise _out_of_memory(trainer.recipe) from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        path = trainer.run.path if trainer.run else "training"
        raise write_error(path, error) from error
    except DataError as error:
        raise _lost_image(error) from error
    except tf.errors.OpError as error:
        if trainer.batches.unreadable:
            raise _lost_image(trainer.batches.unreadable[0]) from error
        if trainer.devices.workers == 1:
            raise
        raise _lost_worker(trainer, error) from error


def _out_of_memory(recipe: Recipe) -> UserError:
    if recipe.batch_size == 1:
        problem = "out of memory with a single image per step"
        return UserError("training", problem, "use a smaller --image_size or a smaller model")
    half = max(1, recipe.batch_size // recipe.accumulate_steps // 2)
    problem = f"out of memory with --batch_size {recipe.batch_size}; saved files remain"
    advice = (
        f"try --accumulate_steps {-(-recipe.batch_size // half)}: the same batch, computed {half} "
        f"images at a time; or a smaller --batch_size, for example {half}"
    )
    return UserError("training", problem, advice)


def _lost_image(error: DataError) -> UserError:
    advice = "put it back and add --resume: the training continues from its last checkpoint"
    return UserError(error.where, error.problem, advice)


def _lost_worker(trainer: "Trainer", error: Exception) -> UserError:
    devices = trainer.devices
    named = {int(number) for number in re.findall(r"task:(\d+)", str(error))} - {devices.worker}
    lost = named or set(range(devices.workers)) - {devices.worker}
    names = ", ".join(
        devices.addresses[number] for number in sorted(lost) if number < devices.workers
    )
    where = f"in epoch {trainer.epoch + 1}, step {trainer.step + 1}"
    problem = f"worker {names} no longer responds, {where}"
    advice = "start all workers again with --resume; they continue from the last checkpoint"
    return UserError("training", problem, advice)
