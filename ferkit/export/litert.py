"""LiteRT, formerly TensorFlow Lite: one file for phones and small computers.

Its package is optional: ``Format.implementation`` imports this module after ``check_runtime``.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from ferkit.export.agreement import Probabilities
from ferkit.export.signature import INPUT, OUTPUT, ExportGraph
from ferkit.models.trained_on import TRAINED_ON
from ferkit.process import available_cpu_count
from ferkit.recognition.compiled_file import ABOUT


def write(graph: ExportGraph, path: Path, texts: Mapping[str, str], int8: bool = False) -> None:
    """Write the file, with built-in operations only.

    Args:
        graph: the model.
        path: the file.
        texts: file name -> text. They are stored in a zip archive at the end of the file, as TFLite
            packs associated files.
        int8: store the large kernels in 8 bits, with a scale for each output channel; small
            kernels, biases and all activations stay float32.
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [graph.serve.get_concrete_function()], graph
    )
    # An operation that LiteRT lacks must fail here, not on a phone.
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    content = converter.convert()
    path.write_bytes(content)
    about = json.loads(texts[ABOUT]) | {"sha256": hashlib.sha256(content).hexdigest()}
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in {**texts, ABOUT: json.dumps(about)}.items():
            # Other programs expect plain members; only this one reads the long record.
            kind = zipfile.ZIP_DEFLATED if name == TRAINED_ON else zipfile.ZIP_STORED
            archive.writestr(name, text, kind)


def load(path: Path) -> Probabilities:
    """The file as a function that runs in ``ai_edge_litert``."""
    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=available_cpu_count())
    run = interpreter.get_signature_runner()  # resizes its tensors to each new batch size
    return lambda images: run(**{INPUT: images})[OUTPUT]
