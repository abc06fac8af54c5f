"""Batches for training and for inference: uint8 images held once in memory, or read from their files as they are needed."""

import numpy as np
import tensorflow as tf

from .augmentation import augment
from .plan import epoch_plan

BATCHES_AT_ONCE = 2
PIXELS_AT_ONCE = 256 * 64 * 64  # in inference, unless told otherwise


class TrainingBatches:
    """Batches of an epoch, augmented on the fly and the same after a resume.

    Args:
        split: a ``dataset.Split``.
        recipe: a ``Recipe``.
        input_shape: height, width and channels of the model's input; images that differ are converted behind the augmentation.

    Example:
        >>> for images, labels, keys in TrainingBatches(split, recipe, (48, 48, 1)).epoch(0):
        ...     ...
    """

    def __init__(self, split, recipe, input_shape):
        self._labels, self._recipe = split.labels, recipe
        labels, take = tf.constant(split.labels), _taker(split.images)

        # A traced function is reused by every epoch's dataset, which would trace a plain one anew.
        @tf.function
        def make(rows, keys, draws):
            images = augment(take(rows), draws, recipe)
            return fit_images(images, input_shape), tf.gather(labels, rows), keys

        self._make = make
        self.steps = -(-len(epoch_plan(split.labels, recipe.sampling, recipe.seed, 0).rows) // recipe.batch_size)

    def epoch(self, number, first_step=0):
        """A dataset of ``(images float32 in [0, 255], labels int32, keys int32)`` from step `first_step` on."""
        plan = epoch_plan(self._labels, self._recipe.sampling, self._recipe.seed, number)
        start = first_step * self._recipe.batch_size
        rows = tf.data.Dataset.from_tensor_slices((plan.rows[start:], plan.keys[start:], plan.draws[start:]))
        batches = rows.batch(self._recipe.batch_size)
        batches = batches.map(self._make, num_parallel_calls=BATCHES_AT_ONCE, deterministic=True).prefetch(BATCHES_AT_ONCE)
        # Nothing is left to tune, and the end of an epoch waited for the tuner's timer: 2 to 60 seconds, measured.
        options = tf.data.Options()
        options.autotune.enabled = False
        return batches.with_options(options)


def _taker(images):
    """A function from row numbers to images, in TensorFlow's graph."""
    if isinstance(images, np.ndarray):
        held = tf.constant(images)
        return lambda rows: tf.gather(held, rows)

    def read(rows):  # files: OpenCV decodes them in threads of its own
        batch = tf.numpy_function(lambda rows: images[rows], [rows], tf.uint8)
        return tf.ensure_shape(batch, (None, *images.shape[1:]))

    return read


def fit_images(images, input_shape):
    """Images as a model takes them: float32, its number of channels, its size.

    Args:
        images: uint8 or float tensor ``(batch, height, width, channels)`` in [0, 255], 1 or 3 channels.
        input_shape: height, width and channels wanted.

    Returns:
        float32 tensor in [0, 255]. Enlarged by bilinear interpolation; made smaller with an antialiasing filter.
    """
    images = tf.cast(images, tf.float32)
    if images.shape[-1] != input_shape[-1]:
        images = tf.image.grayscale_to_rgb(images) if input_shape[-1] == 3 else tf.image.rgb_to_grayscale(images)
    if tuple(images.shape[1:3]) != tuple(input_shape[:2]):
        images = tf.image.resize(images, input_shape[:2], antialias=True)
    return images


def predict_logits(model, images, batch_size=None, mirror=False):
    """Logits of uint8 images, batch by batch, dropout off.

    Args:
        model: a Keras model that takes pixels in [0, 255].
        images: uint8 array ``(rows, height, width, channels)``, or an ``ImageFiles``; converted to the model's size and channels.
        batch_size: rows at once; None is 256 small images, and fewer large ones, which need more memory.
        mirror: predict the mirrored images.

    Returns:
        float32 array ``(rows, classes)``.
    """
    return LogitsFunction(model, images.shape[1:])(images, batch_size, mirror)


class LogitsFunction:
    """A model's inference on images of one shape, traced once and used for many calls; see ``predict_logits``."""

    def __init__(self, model, image_shape):
        @tf.function(input_signature=[tf.TensorSpec((None, *image_shape), tf.uint8), tf.TensorSpec((), tf.bool)])
        def logits(images, mirror):
            images = tf.cond(mirror, lambda: tf.reverse(images, axis=[2]), lambda: images)
            return model(fit_images(images, model.input_shape[1:]), training=False)

        self._logits = logits
        self._pixels = model.input_shape[1] * model.input_shape[2]

    def __call__(self, images, batch_size=None, mirror=False):
        batch_size = batch_size or max(16, min(256, PIXELS_AT_ONCE // self._pixels))
        starts = range(0, len(images), batch_size)
        return tf.concat([self._logits(images[start : start + batch_size], mirror) for start in starts], axis=0).numpy()
