"""Exponential moving average of a model's weights, which is evaluated and saved instead of them."""

import contextlib
from collections.abc import Iterator

import keras


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
