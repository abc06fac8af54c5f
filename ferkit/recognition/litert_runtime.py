"""The runtime of recognition that runs a .tflite file in LiteRT, without TensorFlow."""

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from ferkit.errors import UserError, first_line
from ferkit.process import native_stderr_hidden
from ferkit.recognition.compiled_file import EXPORT_AGAIN, read_compiled


class LiteRTRuntime:
    """A compiled model as a ``Runtime``; several threads may use it at the same time.

    An interpreter is not thread-safe, so each is lent to one call. It runs one face at a time:
    larger batches would not be faster on a CPU, and every change of the batch size would cost a
    new allocation.

    Args:
        path: a .tflite file that `export` wrote.

    Raises:
        UserError: the file is damaged, or LiteRT cannot run it.
    """

    name = "litert"

    def __init__(self, path: Path) -> None:
        compiled = read_compiled(path)
        self.class_names, self.parameters = compiled.class_names, compiled.parameters
        self.trained_on = compiled.trained_on
        self._content = compiled.model
        self._idle: list[Any] = []
        try:
            with native_stderr_hidden(shown_on_failure=False):  # it reports its delegate
                interpreter = self._new_interpreter()
                inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
                interpreter.set_tensor(inputs[0]["index"], np.zeros(inputs[0]["shape"], np.float32))
                interpreter.invoke()
        except Exception as error:  # the type of error depends on the content of a damaged file
            problem = f"LiteRT cannot run it ({first_line(error)})"
            raise UserError(path, problem, EXPORT_AGAIN) from error
        shape, output_shape = inputs[0]["shape"].tolist(), outputs[0]["shape"].tolist()
        is_ours = len(inputs) == len(outputs) == 1 and inputs[0]["dtype"] == np.float32
        if not is_ours or len(shape) != 4 or output_shape != [1, len(self.class_names)]:
            problem = (
                f"expected one image in and {len(self.class_names)} probabilities out, received "
                f"shapes {shape} and {output_shape}"
            )
            raise UserError(path, problem, EXPORT_AGAIN)
        self.input_shape = (shape[1], shape[2], shape[3])
        self._pixels, self._probabilities = inputs[0]["index"], outputs[0]["index"]
        self._idle.append(interpreter)

    def probabilities(self, crops: np.ndarray) -> np.ndarray:
        """Probabilities ``(rows, classes)`` of uint8 crops; see ``Runtime``."""
        try:
            interpreter = self._idle.pop()
        except IndexError:
            interpreter = self._new_interpreter()
        rows = np.empty((len(crops), len(self.class_names)))
        for row, crop in zip(rows, crops.astype(np.float32), strict=True):
            interpreter.set_tensor(self._pixels, crop[None])
            interpreter.invoke()
            row[:] = interpreter.get_tensor(self._probabilities)[0]
        self._idle.append(interpreter)  # not after an exception, which may leave it half run
        return rows

    def _new_interpreter(self) -> Any:
        interpreter = Interpreter(model_content=self._content, num_threads=1)
        interpreter.allocate_tensors()
        return interpreter
