"""Stochastic depth (Huang et al., arXiv 1603.09382), repeatable by a key for each row."""

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="dan_tf")
class StochasticDepth(layers.Layer):
    """Sets a fraction of the rows to zero in training, and scales the others by 1 / (1 - fraction).

    For repeatable training, set ``row_keys``, integers ``(batch,)``, before calling the model. The
    dropped rows then depend only on the keys.

    Args:
        rate: the fraction, 0 up to (not including) 1.

    Input shape, output shape:
        ``(batch, height, width, channels)``.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = check_rate(rate, "rate")
        self.seed_generator = keras.random.SeedGenerator()
        self.row_keys: keras.KerasTensor | None = None

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """The inputs, without the dropped rows in training."""
        if not training:
            return inputs
        return drop_rows(inputs, self.rate, self.row_keys, self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "rate": self.rate}


def check_rate(rate: float, name: str) -> float:
    """The rate of dropped rows, or ValueError if it is out of range."""
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"Expected `{name}` to be in [0, 1). Received: {name}={rate!r}")
    return rate


def drop_rows(
    x: keras.KerasTensor,
    rate: float,
    row_keys: keras.KerasTensor | None,
    seed_generator: keras.random.SeedGenerator,
) -> keras.KerasTensor:
    """Rows ``(batch, height, width, channels)``, a fraction `rate` of which is set to zero.

    The keys ``(batch,)`` choose them; without keys, the generator does.
    """
    if row_keys is None:
        numbers = keras.random.uniform((ops.shape(x)[0],), seed=seed_generator)
    else:
        numbers = keyed_uniform(row_keys)
    kept = ops.cast(numbers >= rate, x.dtype) / (1.0 - rate)
    return x * kept[:, None, None, None]


def keyed_uniform(row_keys: keras.KerasTensor) -> keras.KerasTensor:
    """Uniform numbers in [0, 1), one per integer key ``(batch,)``, which depends only on the key.

    Reference: the 32-bit finalizer of MurmurHash3 (Appleby, public domain).
    """
    bits = ops.cast(row_keys, "uint32")
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = ops.bitwise_xor(bits, ops.right_shift(bits, ops.cast(shift, "uint32"))) * ops.cast(
            factor, "uint32"
        )
    bits = ops.bitwise_xor(bits, ops.right_shift(bits, ops.cast(16, "uint32")))
    return ops.cast(ops.cast(ops.right_shift(bits, ops.cast(8, "uint32")), "int32"), "float32") * (
        1.0 / (1 << 24)
    )
