"""Averages of weights, which are evaluated and saved, and the normalization that fits them."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ferkit.models.interface import sublayers


class AveragedWeights:
    """The average of a model's weights and of its moving statistics.

    Keras's ``use_ema`` does not average the statistics of batch normalization, which then belong to
    other weights, and starts with full momentum. Here the momentum after n updates is
    min(momentum, (1 + n) / (10 + n)), as in TensorFlow's ExponentialMovingAverage, so that the
    initial weights lose their influence quickly.

    Args:
        model: a built Keras model.
        momentum: in (0, 1); 0.999 averages about the last thousand updates.
    """

    def __init__(self, model: keras.Model, momentum: float) -> None:
        self._momentum = momentum
        self._weights = [weight for weight in model.weights if "float" in weight.dtype]
        self.variables = [
            keras.Variable(
                weight.numpy(),
                trainable=False,
                dtype=weight.dtype,
                name=f"average_{weight.name}",
                aggregation="mean",
            )
            for weight in self._weights
        ]

    def update(self, updates: keras.Variable) -> None:
        """Average the weights in, once per step; `updates` is the number of steps so far."""
        done = keras.ops.cast(updates, "float32")
        momentum = keras.ops.minimum(self._momentum, (1.0 + done) / (10.0 + done))
        for average, weight in zip(self.variables, self._weights, strict=True):
            value = keras.ops.convert_to_tensor(average)
            average.assign(value + (1.0 - momentum) * (keras.ops.convert_to_tensor(weight) - value))

    @contextlib.contextmanager
    def swapped_in(self) -> Iterator[None]:
        """In this context, the model has the averaged weights."""
        originals = [weight.numpy() for weight in self._weights]
        for weight, average in zip(self._weights, self.variables, strict=True):
            weight.assign(average.numpy())
        try:
            yield
        finally:
            for weight, value in zip(self._weights, originals, strict=True):
                weight.assign(value)


def estimate_normalization(
    model: keras.Model, images: np.ndarray, weight: float = 1.0, batch_size: int = 256
) -> None:
    """Replace the moving statistics of batch normalization by those of images without augmentation.

    The statistics of a training belong to augmented images, and the average of several models has
    none of its own. Every layer gets the mean of its batches' means and variances; half of the
    images are mirrored, and nothing else acts as in training.

    Args:
        model: a built Keras model of pixels in [0, 255].
        images: training images, uint8 ``(rows, height, width, channels)``.
        weight: weight of the new statistics in [0, 1]; the rest is the weight of the old ones.
        batch_size: rows per batch; what remains after the last full batch is not used.

    Raises:
        ValueError: fewer images than one batch, or a weight outside [0, 1].

    Reference: Izmailov et al., arXiv 1803.05407, section 3.2.
    """
    if len(images) < batch_size:
        raise ValueError(f"{len(images)} images are less than a batch of {batch_size}")
    if not 0.0 <= weight <= 1.0:
        raise ValueError(f"the weight must be from 0 to 1. Received: weight={weight}")
    layers = [
        layer for layer in sublayers(model) if isinstance(layer, keras.layers.BatchNormalization)
    ]
    statistics = [value for layer in layers for value in (layer.moving_mean, layer.moving_variance)]
    order = np.random.default_rng(0).permutation(len(images))
    batches = order[: len(order) // batch_size * batch_size].reshape(-1, batch_size)
    old = [value.numpy() for value in statistics]
    sums = [np.zeros(value.shape) for value in old]
    with _statistics_of_the_batch(layers):
        forward = tf.function(partial(model, training=False))
        for rows in batches:
            batch = np.asarray(images[np.sort(rows)], np.float32)
            batch[::2] = batch[::2, :, ::-1]
            forward(tf.constant(batch))
            sums = [total + value.numpy() for total, value in zip(sums, statistics, strict=True)]
    for value, before, total in zip(statistics, old, sums, strict=True):
        value.assign((1.0 - weight) * before + weight * total / len(batches))


@contextlib.contextmanager
def _statistics_of_the_batch(layers: list[keras.layers.BatchNormalization]) -> Iterator[None]:
    """In this context, these layers act as in training, and keep the last batch's statistics."""
    before = [(layer, layer.momentum) for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
        layer.call = _as_in_training(layer.call)
    try:
        yield
    finally:
        for layer, momentum in before:
            layer.momentum = momentum
            del layer.call


def _as_in_training(call: Callable) -> Callable:
    def training_call(
        inputs: keras.KerasTensor, training: bool | None = None, **others: Any
    ) -> keras.KerasTensor:
        return call(inputs, training=True, **others)

    return training_call
