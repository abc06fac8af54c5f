"""What TensorBoard shows of a run: event files, written without the package tensorboard, which nothing here depends on.

An event file is a TFRecord file of ``Event`` messages; both come with TensorFlow. To look: ``tensorboard --logdir FOLDER``.
"""

import io
import os
import platform
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from ferkit.files import write_error
from ferkit.reporting.charts import draw_confusion, figure_png
from ferkit.reporting.model_views import model_pictures, picture_grid

MOST_FACES = 16


class TensorBoardLog:
    """Scalars and pictures of one training, an event file for each time it is started or resumed.

    Args:
        folder: where the event files go; made with the first epoch.
        model: the Keras model; pictures of what it looks at come from its package's VISUALIZATIONS.
        class_names: in the order of the confusion matrix.
        faces: uint8 ``(n, height, width, channels)`` of the model's input size, for those pictures; the first 16 are kept.
        pictures_every: epochs from one set of pictures to the next, besides that of the first epoch.

    Example:
        >>> log = TensorBoardLog("runs/first/tensorboard", model, val.class_names, val.images[:16])
        >>> log.epoch(1, {"train/loss": 1.8, "validation/accuracy": 0.31}, confusion, batch)
    """

    def __init__(
        self, folder: str | Path, model, class_names, faces: np.ndarray, pictures_every: int = 1
    ):
        self.folder, self.model, self.pictures_every = Path(folder), model, pictures_every
        self.class_names, self.faces = tuple(class_names), np.array(faces[:MOST_FACES])
        self._writer = None

    def epoch(
        self, number: int, scalars: dict[str, float], confusion: np.ndarray, shown: np.ndarray
    ):
        """Write one epoch down, to be seen at once.

        Args:
            number: of the epoch, from 1: TensorBoard's step.
            scalars: name, as "validation/accuracy", -> value.
            confusion: counts ``(classes, classes)``: row = true class, column = predicted class.
            shown: augmented faces ``(n, height, width, channels)``, in [0, 255]; the first 16 are drawn.

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

    def close(self):
        """Close the event file; a later epoch opens another."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def _pictures(self, confusion, shown):
        drawn = figure_png(draw_confusion(confusion, self.class_names), dpi=80)
        values = [_image_value("validation/confusion", drawn)]
        if len(shown):
            values.append(
                _image_value(
                    "train/faces as the model is shown them", _png(picture_grid(shown[:MOST_FACES]))
                )
            )
        return values + [
            _image_value(f"model/{name}", _png(grid))
            for name, grid in model_pictures(self.model, self.faces).items()
        ]

    def _open(self, step):
        self.folder.mkdir(parents=True, exist_ok=True)
        stem = (
            f"events.out.tfevents.{int(time.time())}.{platform.node() or 'localhost'}.{os.getpid()}"
        )
        taken = len(list(self.folder.glob(f"{stem}.*")))
        self._writer = tf.io.TFRecordWriter(str(self.folder / f"{stem}.{taken}"))
        self._write(file_version="brain.Event:2")
        # Of an epoch that was written but not saved before a crash, TensorBoard then shows the second version only.
        self._write(
            step=step, session_log=tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        )

    def _write(self, **content):
        self._writer.write(tf.compat.v1.Event(wall_time=time.time(), **content).SerializeToString())


def _png(picture):
    out = io.BytesIO()
    Image.fromarray(picture).save(out, format="PNG")
    return out.getvalue()


def _image_value(tag, png):
    width, height = Image.open(io.BytesIO(png)).size
    image = tf.compat.v1.Summary.Image(
        height=height, width=width, colorspace=3, encoded_image_string=png
    )
    return tf.compat.v1.Summary.Value(tag=tag, image=image)


def _failed(folder, error):
    if isinstance(error, tf.errors.OpError):
        denied, full = PermissionError(13, error.message), OSError(28, error.message)
        kinds = {tf.errors.PermissionDeniedError: denied, tf.errors.ResourceExhaustedError: full}
        error = kinds.get(type(error), OSError(0, error.message))
    return write_error(folder, error)
