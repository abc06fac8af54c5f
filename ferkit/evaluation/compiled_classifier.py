"""A compiled model in the place of a Keras model, so that it is measured in the same way."""

from typing import Any, Protocol

import numpy as np
import tensorflow as tf


class CompiledModel(Protocol):
    """What is needed of a ``recognition.runtimes.Runtime``."""

    class_names: tuple[str, ...]
    input_shape: tuple[int, int, int]

    def probabilities(self, crops: np.ndarray, mirror: bool = False) -> np.ndarray:
        """Probabilities ``(rows, classes)`` of uint8 crops ``(rows, *input_shape)``."""
        ...


class CompiledClassifier:
    """Calls a compiled model from a TensorFlow graph.

    Args:
        runtime: the loaded file.

    Attributes:
        input_shape: (None, height, width, channels), as of a Keras model.
        class_names: names of the classes, in order.
    """

    def __init__(self, runtime: CompiledModel) -> None:
        self._runtime = runtime
        self.input_shape = (None, *runtime.input_shape)
        self.class_names = runtime.class_names

    def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Log-probabilities ``(rows, classes)`` of images in [0, 255], rounded to uint8."""
        del training  # a compiled model has no other mode
        logits = tf.numpy_function(self._log_probabilities, [images], tf.float32)
        logits.set_shape((None, len(self.class_names)))
        return logits

    def _log_probabilities(self, images: np.ndarray) -> np.ndarray:
        pixels: Any = np.clip(np.round(images), 0, 255).astype(np.uint8)
        return np.log(np.maximum(self._runtime.probabilities(pixels), 1e-12)).astype(np.float32)
