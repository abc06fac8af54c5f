"""Batches for training and for inference, from uint8 images held once in memory."""

import tensorflow as tf

from .augmentation import augment
from .plan import epoch_plan


class TrainingBatches:
    """Batches of an epoch, augmented on the fly and the same after a resume.

    Args:
        split: a ``dataset.Split``.
        recipe: a ``Recipe``.

    Example:
        >>> for images, labels, keys in TrainingBatches(split, recipe).epoch(0):
        ...     ...
    """

    def __init__(self, split, recipe):
        self._labels, self._recipe = split.labels, recipe
        images, labels = tf.constant(split.images), tf.constant(split.labels)

        # A traced function is reused by every epoch's dataset, which would trace a plain one anew.
        @tf.function
        def make(rows, keys, draws):
            return augment(tf.gather(images, rows), draws, recipe), tf.gather(labels, rows), keys

        self._make = make
        self.steps = -(-len(epoch_plan(split.labels, recipe.sampling, recipe.seed, 0).rows) // recipe.batch_size)

    def epoch(self, number, first_step=0):
        """A dataset of ``(images float32 in [0, 255], labels int32, keys int32)`` from step `first_step` on."""
        plan = epoch_plan(self._labels, self._recipe.sampling, self._recipe.seed, number)
        start = first_step * self._recipe.batch_size
        rows = tf.data.Dataset.from_tensor_slices((plan.rows[start:], plan.keys[start:], plan.draws[start:]))
        batches = rows.batch(self._recipe.batch_size)
        return batches.map(self._make, num_parallel_calls=2, deterministic=True).prefetch(2)


def predict_logits(model, images, batch_size=256, mirror=False):
    """Logits of uint8 images, batch by batch, dropout off.

    Args:
        model: a Keras model that takes pixels in [0, 255].
        images: uint8 array ``(rows, height, width, channels)``.
        batch_size: rows at once.
        mirror: predict the mirrored images.

    Returns:
        float32 array ``(rows, classes)``.
    """
    return LogitsFunction(model)(images, batch_size, mirror)


class LogitsFunction:
    """A model's inference, traced once and used for many calls; see ``predict_logits``."""

    def __init__(self, model):
        @tf.function(input_signature=[tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)])
        def logits(images):
            return model(tf.cast(images, tf.float32), training=False)

        self._logits = logits

    def __call__(self, images, batch_size=256, mirror=False):
        images = images[:, :, ::-1] if mirror else images
        starts = range(0, len(images), batch_size)
        return tf.concat([self._logits(images[start : start + batch_size]) for start in starts], axis=0).numpy()
