"""TensorBoard event files of a run, written without the package tensorboard.

An event file is a TFRecord file of ``Event`` messages; both are part of TensorFlow. To view them:
``tensorboard --logdir FOLDER``.
"""

from __future__ import annotations

import errno
import io
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from ferkit.errors import UserError
from ferkit.files import write_error
from ferkit.reporting.charts import draw_confusion, figure_png
from ferkit.reporting.model_views import model_pictures, picture_grid
from ferkit.training.hooks import EpochReport, Hook

if TYPE_CHECKING:
    from ferkit.training.trainer import Trainer

MAX_FACES = 16


class TensorBoardLog(Hook):
    """A training hook that writes scalars and pictures; each start or resume has its own file.

    Args:
        folder: folder of the event files, created with the first epoch.
        model: the model; its package's VISUALIZATIONS draw what it looks at.
        class_names: in the order of the confusion matrix.
        faces: uint8 ``(n, height, width, channels)`` of the model's input size, for the
            visualizations; the first 16 are used.
        pictures_every: number of epochs between pictures, after those of the first epoch.

    Example:
        >>> log = TensorBoardLog("runs/first/tensorboard", model, val.class_names, val.images[:16])
        >>> log.epoch(1, {"train/loss": 1.8, "validation/accuracy": 0.31}, confusion, batch)
    """

    def __init__(
        self,
        folder: str | Path,
        model: keras.Model,
        class_names: Sequence[str],
        faces: np.ndarray,
        pictures_every: int = 1,
    ) -> None:
        self.folder, self.model, self.pictures_every = Path(folder), model, pictures_every
        self.class_names, self.faces = tuple(class_names), np.array(faces[:MAX_FACES])
        self._writer: Any = None

    def on_epoch(self, trainer: Trainer, report: EpochReport) -> None:
        """Write the report of an epoch."""
        self.epoch(report.epoch, report.scalars, report.confusion, report.batch())

    def epoch(
        self, number: int, scalars: dict[str, float], confusion: np.ndarray, shown: np.ndarray
    ) -> None:
        """Write one epoch, flushed to the disk.

        Args:
            number: number of the epoch, from 1: TensorBoard's step.
            scalars: name, such as "validation/accuracy", -> value.
            confusion: counts ``(classes, classes)``: row = true class, column = predicted class.
            shown: augmented faces ``(n, height, width, channels)`` in [0, 255]; the first 16 are
                drawn.

        Raises:
            UserError: the event file cannot be written.
        """
        values = [
            tf.compat.v1.Summary.Value(tag=name, simple_value=float(value))
            for name, value in scalars.items()
        ]
        if number == 1 or number % self.pictures_every == 0:
            values += self._pictures(confusion, shown)
        try:
            if self._writer is None:
                self._open(number)
            self._write(step=number, summary=tf.compat.v1.Summary(value=values))
            self._writer.flush()
        except (tf.errors.OpError, OSError) as error:
            raise _failed(self.folder, error) from error

    def close(self) -> None:
        """Close the event file; a later epoch opens another one."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def _pictures(self, confusion: np.ndarray, shown: np.ndarray) -> list[Any]:
        drawn = figure_png(draw_confusion(confusion, self.class_names), dpi=80)
        values = [_image_value("validation/confusion", drawn)]
        if len(shown):
            values.append(
                _image_value("train/augmented faces", _png(picture_grid(shown[:MAX_FACES])))
            )
        return values + [
            _image_value(f"model/{name}", _png(grid))
            for name, grid in model_pictures(self.model, self.faces).items()
        ]

    def _open(self, step: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        stem = (
            f"events.out.tfevents.{int(time.time())}.{platform.node() or 'localhost'}.{os.getpid()}"
        )
        count = len(list(self.folder.glob(f"{stem}.*")))
        self._writer = tf.io.TFRecordWriter(str(self.folder / f"{stem}.{count}"))
        self._write(file_version="brain.Event:2")
        # If an epoch was written but not saved before a crash, TensorBoard shows its second
        # version.
        self._write(
            step=step, session_log=tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        )

    def _write(self, **content: Any) -> None:
        self._writer.write(tf.compat.v1.Event(wall_time=time.time(), **content).SerializeToString())


def _png(picture: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, format="PNG")
    return out.getvalue()


def _image_value(tag: str, png: bytes) -> Any:
    width, height = Image.open(io.BytesIO(png)).size
    image = tf.compat.v1.Summary.Image(
        height=height, width=width, colorspace=3, encoded_image_string=png
    )
    return tf.compat.v1.Summary.Value(tag=tag, image=image)


def _failed(folder: Path, error: Exception) -> UserError:
    if isinstance(error, tf.errors.PermissionDeniedError):
        error = PermissionError(errno.EACCES, error.message)
    elif isinstance(error, tf.errors.ResourceExhaustedError):
        error = OSError(errno.ENOSPC, error.message)
    elif isinstance(error, tf.errors.OpError):
        error = OSError(0, error.message)
    return write_error(folder, error)
