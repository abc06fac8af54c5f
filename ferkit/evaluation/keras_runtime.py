"""The runtime of recognition that runs a saved model in Keras."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ferkit.evaluation.metrics import mean_probabilities
from ferkit.tensorflow_runtime import import_tensorflow

if TYPE_CHECKING:
    import keras


class KerasRuntime:
    """A Keras model as a ``recognition.runtimes.Runtime``.

    Args:
        model: a model of this program.
    """

    def __init__(self, model: keras.Model) -> None:
        # Late: TensorFlow is set up by load_keras_runtime before any module imports it.
        from ferkit.evaluation.inference import BatchedLogits

        self.model = model
        self.class_names = tuple(model.class_names)
        height, width, channels = model.input_shape[1:]
        self.input_shape = (height, width, channels)
        self._logits = BatchedLogits(model, self.input_shape)

    def probabilities(self, crops: np.ndarray, mirror: bool = False) -> np.ndarray:
        """Probabilities ``(rows, classes)`` of uint8 crops; see ``Runtime``."""
        views = (False, True) if mirror else (False,)
        return mean_probabilities(np.stack([self._logits(crops, mirror=view) for view in views]))


def load_keras_runtime(file: Path) -> KerasRuntime:
    """Load a .keras file.

    Raises:
        UserError: it is damaged, or not a model of this program.
    """
    import_tensorflow()
    # Late, for the same reason.
    from ferkit.models import interface, saved_model

    # Plain operations: XLA would compile its operations again for every number of faces.
    return KerasRuntime(interface.for_inference(saved_model.load_model(file)))
