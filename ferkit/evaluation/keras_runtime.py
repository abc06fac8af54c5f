"""The runtime of recognition that runs a saved model in Keras."""

import os
from pathlib import Path

import keras
import numpy as np

from ferkit.errors import check_not_forked
from ferkit.evaluation.inference import BatchedLogits
from ferkit.evaluation.metrics import softmax
from ferkit.models.interface import for_inference
from ferkit.models.saved_model import load_model


class KerasRuntime:
    """A Keras model as a ``recognition.runtimes.Runtime``.

    Args:
        model: a model of this program.

    Attributes:
        model: the same outputs in plain operations.
    """

    name = "keras"
    trained_on = ""

    def __init__(self, model: keras.Model) -> None:
        # Plain operations: XLA would compile its operations again for every number of faces.
        self.model = for_inference(model)
        self.class_names = tuple(self.model.class_names)
        self.parameters: int | None = self.model.count_params()
        height, width, channels = self.model.input_shape[1:]
        self.input_shape = (height, width, channels)
        self._process = os.getpid()
        self._logits = BatchedLogits(self.model, self.input_shape)

    def probabilities(self, crops: np.ndarray) -> np.ndarray:
        """Probabilities ``(rows, classes)`` of uint8 crops; see ``Runtime``.

        Raises:
            UserError: this process was forked after the model was loaded.
        """
        check_not_forked(self._process, "runtime keras")
        return softmax(self._logits(crops))


def load_keras_runtime(file: Path) -> KerasRuntime:
    """Load a .keras file.

    Raises:
        UserError: it is damaged, or not a model of this program.
    """
    return KerasRuntime(load_model(file))
