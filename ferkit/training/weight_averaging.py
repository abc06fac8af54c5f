"""Exponential moving average of a model's weights: measured and saved in place of the weights themselves."""

import contextlib

import keras


class AveragedWeights:
    """The average of a model's weights and of its moving statistics.

    Keras's own (``use_ema``) leaves batch normalization's statistics behind, which then belong to other weights, and starts with
    full momentum. Here momentum after n updates is min(momentum, (1 + n) / (10 + n)), as in TensorFlow's
    ExponentialMovingAverage, so that the first weights are soon forgotten.

    Args:
        model: a built Keras model.
        momentum: in (0, 1); 0.999 averages about the last thousand updates.
    """

    def __init__(self, model, momentum):
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

    def update(self, updates):
        """Take the weights in, `updates` optimizer steps after the start; once a step."""
        done = keras.ops.cast(updates, "float32")
        momentum = keras.ops.minimum(self._momentum, (1.0 + done) / (10.0 + done))
        for average, weight in zip(self.variables, self._weights, strict=True):
            value = keras.ops.convert_to_tensor(average)
            average.assign(value + (1.0 - momentum) * (keras.ops.convert_to_tensor(weight) - value))

    @contextlib.contextmanager
    def in_place(self):
        """Within, the model has the averaged weights."""
        own = [weight.numpy() for weight in self._weights]
        for weight, average in zip(self._weights, self.variables, strict=True):
            weight.assign(average.numpy())
        try:
            yield
        finally:
            for weight, value in zip(self._weights, own, strict=True):
                weight.assign(value)
