"""Runtimes: what runs a model on cropped faces, and which one runs a given file.

Recognition depends on the ``Runtime`` protocol alone, so that it needs no TensorFlow. Where a
runtime lives is a name in a table, and its module is imported when it is chosen.
"""

import dataclasses
import importlib.util
from pathlib import Path
from typing import Protocol

import numpy as np

from ferkit.errors import UserError, not_installed
from ferkit.process import imported
from ferkit.recognition.compiled_file import compiled_twin


class Runtime(Protocol):
    """A loaded model. Several threads may use it at the same time.

    Attributes:
        name: its name in ``RUNTIMES``.
        class_names: names of the outputs, in order.
        input_shape: height, width and channels of the crops.
        parameters: number of parameters; None if the file does not say.
        trained_on: the record of the training data in a compiled file, as text, see
            ``models.trained_on``; "" if it has none, and for a Keras model.
    """

    name: str
    class_names: tuple[str, ...]
    input_shape: tuple[int, int, int]
    parameters: int | None
    trained_on: str

    def probabilities(self, crops: np.ndarray) -> np.ndarray:
        """Probabilities ``(rows, classes)`` of uint8 crops ``(rows, *input_shape)``.

        Args:
            crops: any number of rows, at least one.
        """
        ...


@dataclasses.dataclass(frozen=True)
class RuntimeEntry:
    """Where a runtime lives, and what it needs.

    Attributes:
        suffix: suffix of its files.
        steps: "module:function" of each step; the last one loads a file and returns a Runtime.
        package: import name of the package that it needs.
        install: what to give to `pip install`.
    """

    suffix: str
    steps: tuple[str, ...]
    package: str
    install: str

    @property
    def is_installed(self) -> bool:
        """Whether its package can be imported."""
        return importlib.util.find_spec(self.package) is not None


RUNTIMES = {
    "litert": RuntimeEntry(
        ".tflite",
        ("ferkit.recognition.litert_runtime:LiteRTRuntime",),
        "ai_edge_litert",
        '"ai-edge-litert>=2.0.2,<3"',
    ),
    "onnx": RuntimeEntry(
        ".onnx",
        ("ferkit.recognition.onnx_runtime:OnnxRuntime",),
        "onnxruntime",
        '"onnxruntime>=1.20,<2"',
    ),
    "keras": RuntimeEntry(
        ".keras",
        (
            "ferkit.tensorflow_runtime:import_tensorflow",  # sets TensorFlow up before its import
            "ferkit.evaluation.keras_runtime:load_keras_runtime",
        ),
        "tensorflow",
        '"deep-emotion-keras[train]"',
    ),
}
RUNTIME_CHOICES = ("auto", *RUNTIMES)


def load_runtime(file: Path, name: str = "auto") -> Runtime:
    """Load a model file.

    Args:
        file: a .keras, .tflite or .onnx file of this program.
        name: "auto", or one of ``RUNTIMES``. "auto" runs a .keras file that was released with a
            compiled file in LiteRT, and every other file in the runtime of its suffix.

    Raises:
        UserError: the file cannot be loaded, or its runtime is not installed.
    """
    chosen, file = choose_runtime(file, name)
    entry = RUNTIMES[chosen]
    if not entry.is_installed:
        where = f"--runtime {chosen}" if name != "auto" else str(file)
        raise not_installed(where, entry.package, entry.install)
    *preparations, loader = entry.steps
    for preparation in preparations:
        imported(preparation)()
    return imported(loader)(file)


def choose_runtime(file: Path, name: str = "auto") -> tuple[str, Path]:
    """The runtime of a file, and the file that it loads: the file itself or its compiled file.

    Args:
        file: see ``load_runtime``.
        name: see ``load_runtime``.

    Raises:
        UserError: that runtime cannot run the file.
    """
    if name not in RUNTIME_CHOICES:
        known = ", ".join(RUNTIME_CHOICES)
        raise UserError(f"--runtime {name}", "unknown", f"choose from {known}")
    by_suffix = next((n for n, entry in RUNTIMES.items() if entry.suffix == file.suffix), "keras")
    twin = compiled_twin(file) if by_suffix == "keras" and name in ("auto", "litert") else None
    if name == "auto":
        if twin and RUNTIMES["litert"].is_installed:
            return "litert", twin
        return by_suffix, file
    if name == by_suffix:
        return name, file
    if name == "litert" and twin:
        return name, twin
    advice = f"export it with: python main.py export --format {name}"
    if by_suffix != "keras" or name == "keras":
        advice = f"give a {RUNTIMES[name].suffix} file, or --runtime {by_suffix}"
    raise UserError(f"--runtime {name}", f"cannot run {file}", advice)
