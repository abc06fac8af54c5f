"""The runtime of recognition that runs an .onnx file in ONNX Runtime, without TensorFlow."""

import json
import os
from pathlib import Path

import numpy as np
import onnxruntime

from ferkit.errors import UserError, check_not_forked, first_line
from ferkit.models.trained_on import TRAINED_ON
from ferkit.process import available_cpu_count
from ferkit.recognition.compiled_file import ABOUT, EXPORT_AGAIN, LABELS, class_names_of


class OnnxRuntime:
    """An .onnx file as a ``Runtime``; several threads may use it at the same time.

    Args:
        path: an .onnx file that `export` wrote.

    Raises:
        UserError: the file is damaged, was not written by `export`, or cannot be run.
    """

    name = "onnx"

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = available_cpu_count()
        options.log_severity_level = 4  # fatal only: errors are raised as well
        try:
            self._session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the type of error depends on the content of a damaged file
            problem = f"ONNX Runtime cannot run it ({first_line(error)})"
            raise UserError(path, problem, "copy it again, or export it again") from error
        texts = self._session.get_modelmeta().custom_metadata_map
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shape = inputs[0].shape
        if LABELS not in texts or len(inputs) != 1 or len(outputs) != 1 or len(shape) != 4:
            raise UserError(path, "an ONNX file without class names: not one of ours", EXPORT_AGAIN)
        self.class_names = class_names_of(texts, path)
        self.parameters: int | None = json.loads(texts.get(ABOUT, "{}")).get("parameters")
        self.trained_on = texts.get(TRAINED_ON, "")
        self.input_shape = (shape[1], shape[2], shape[3])
        self._process = os.getpid()
        self._names = inputs[0].name, outputs[0].name

    def probabilities(self, crops: np.ndarray) -> np.ndarray:
        """Probabilities ``(rows, classes)`` of uint8 crops; see ``Runtime``.

        Raises:
            UserError: this process was forked after the model was loaded.
        """
        check_not_forked(self._process, "runtime onnx")
        pixels, probabilities = self._names
        batch = np.ascontiguousarray(crops, np.float32)
        return self._session.run([probabilities], {pixels: batch})[0].astype(np.float64)
