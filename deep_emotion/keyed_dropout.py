"""Dropout whose mask can be a function of one key per row.

With keys, a resumed training run repeats the masks of an uninterrupted run exactly.
"""

from typing import Any

import keras
from keras import ops


def keyed_uniform(row_keys: keras.KerasTensor, size: int) -> keras.KerasTensor:
    """Uniform numbers in [0, 1) that depend only on (row key, position).

    Args:
        row_keys: integer tensor ``(batch,)``.
        size: count of numbers per row.

    Returns:
        float32 tensor ``(batch, size)``.

    Reference: the 32-bit finalizer of MurmurHash3 (Appleby, public domain), applied twice.
    """

    def shift(bits: keras.KerasTensor, positions: int) -> keras.KerasTensor:
        return ops.right_shift(bits, ops.cast(positions, "uint32"))

    def mix(bits: keras.KerasTensor) -> keras.KerasTensor:
        bits = ops.bitwise_xor(bits, shift(bits, 16)) * ops.cast(0x85EBCA6B, "uint32")
        bits = ops.bitwise_xor(bits, shift(bits, 13)) * ops.cast(0xC2B2AE35, "uint32")
        return ops.bitwise_xor(bits, shift(bits, 16))

    rows = mix(ops.cast(row_keys, "uint32"))[:, None]
    columns = ops.cast(ops.arange(size, dtype="int32"), "uint32")[None, :] * ops.cast(
        0x9E3779B9, "uint32"
    )
    bits = mix(rows + columns)
    return ops.cast(ops.cast(shift(bits, 8), "int32"), "float32") * (1.0 / (1 << 24))


@keras.saving.register_keras_serializable(package="deep_emotion")
class KeyedDropout(keras.layers.Layer):
    """Dropout on ``(batch, features)``, with its own seed or with keys that a training loop sets.

    With plain ``fit`` it is ordinary dropout. For repeatable training, set ``row_keys``, an integer
    tensor ``(batch,)``, before calling the model, and set it to None afterwards. The mask then
    depends only on the keys. (Keras does not save the state of seed generators, so a resumed
    ``fit`` draws other masks.)

    Args:
        rate: fraction of the values set to zero, in [0, 1).
        seed: for use without keys.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"Expected `rate` to be in [0, 1). Received: rate={rate!r}")
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.row_keys: keras.KerasTensor | None = None

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Dropout in training; otherwise the inputs, unchanged."""
        if not training or self.rate == 0.0:
            return inputs
        if self.row_keys is None:
            return keras.random.dropout(inputs, self.rate, seed=self.seed_generator)
        kept = keyed_uniform(self.row_keys, inputs.shape[1]) >= self.rate
        return ops.where(kept, inputs / (1.0 - self.rate), ops.zeros_like(inputs))

    def compute_output_shape(self, input_shape: tuple[int | None, int]) -> tuple[int | None, int]:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
