"""Runtimes: what runs a model on cropped faces.

Recognition depends on the ``Runtime`` protocol alone, so that it needs no TensorFlow. Where a
runtime lives is a name in a table, and its module is imported when it is chosen.
"""

import importlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np

# Name -> "module:function" of each step; the last one loads a model file and returns a Runtime.
RUNTIMES = {
    "keras": (
        "ferkit.tensorflow_runtime:import_tensorflow",  # sets TensorFlow up before it is imported
        "ferkit.evaluation.keras_runtime:load_keras_runtime",
    )
}


class Runtime(Protocol):
    """A loaded model.

    Attributes:
        class_names: names of the outputs, in order.
        input_shape: height, width and channels of the crops.
        model: the object that the runtime calls; a Keras model for "keras".
    """

    class_names: tuple[str, ...]
    input_shape: tuple[int, int, int]
    model: Any

    def probabilities(self, crops: np.ndarray, mirror: bool = False) -> np.ndarray:
        """Probabilities ``(rows, classes)`` of uint8 crops ``(rows, *input_shape)``.

        Args:
            crops: any number of rows, at least one.
            mirror: average over each crop and its mirror image.
        """
        ...


def load_runtime(file: Path, name: str = "keras") -> Runtime:
    """Load a model file in the runtime of that name.

    Raises:
        UserError: the file cannot be loaded.
    """
    *preparations, loader = RUNTIMES[name]
    for preparation in preparations:
        _function(preparation)()
    return _function(loader)(file)


def _function(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
