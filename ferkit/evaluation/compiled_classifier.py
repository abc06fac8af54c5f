"""A compiled model in the place of a Keras model, so that it is measured in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from ferkit.recognition.runtimes import Runtime


class CompiledClassifier:
    """Calls a compiled model from a TensorFlow graph.

    Args:
        runtime: the loaded file.

    Attributes:
        input_shape: (None, height, width, channels), as of a Keras model.
        class_names: names of the classes, in order.
    """

    def __init__(self, runtime: Runtime) -> None:
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
