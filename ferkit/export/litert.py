"""LiteRT, formerly TensorFlow Lite: one file for phones and small computers.

Its package is optional: ``Format.implementation`` imports this module after ``check_runtime``.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python.schema_py_generated import TensorT, TensorType
from tensorflow.lite.tools import flatbuffer_utils

from ferkit.export.agreement import Probabilities
from ferkit.export.signature import INPUT, OUTPUT, ExportGraph
from ferkit.models.trained_on import TRAINED_ON
from ferkit.process import available_cpu_count
from ferkit.recognition.compiled_file import ABOUT

# Kernels of fewer values stay float32. They are the sensitive ones (a localization network, a
# bottleneck's projection), and together a small part of the file.
SMALL_KERNEL = 8192


def write(graph: ExportGraph, path: Path, texts: Mapping[str, str], int8: bool = False) -> None:
    """Write the file, with built-in operations only.

    Args:
        graph: the model.
        path: the file.
        texts: file name -> text. They are stored in a zip archive at the end of the file, as TFLite
            packs associated files.
        int8: store the large kernels in 8 bits, with a scale for each output channel; kernels
            below ``SMALL_KERNEL`` values, biases and the tensors between layers stay float32.
    """
    content = _converted(graph)
    if int8:
        content = _with_small_kernels(_converted(graph, [tf.lite.Optimize.DEFAULT]), content)
    path.write_bytes(content)
    about = json.loads(texts[ABOUT]) | {"sha256": hashlib.sha256(content).hexdigest()}
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in {**texts, ABOUT: json.dumps(about)}.items():
            # Other programs expect plain members; only this one reads the long record.
            kind = zipfile.ZIP_DEFLATED if name == TRAINED_ON else zipfile.ZIP_STORED
            archive.writestr(name, text, kind)


def _converted(graph: ExportGraph, optimizations: Sequence[tf.lite.Optimize] = ()) -> bytes:
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [graph.serve.get_concrete_function()], graph
    )
    # An operation that LiteRT lacks must fail here, not on a phone.
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.optimizations = list(optimizations)
    return converter.convert()


def _with_small_kernels(int8: bytes, float32: bytes) -> bytes:
    """The model in 8 bits, with its small kernels as they are in the same model in float32."""
    model, source = (
        flatbuffer_utils.convert_bytearray_to_object(bytearray(each)) for each in (int8, float32)
    )
    originals = [
        source.buffers[tensor.buffer].data.view(np.float32).reshape(tensor.shape)
        for tensor in source.subgraphs[0].tensors
        if tensor.type == TensorType.FLOAT32 and source.buffers[tensor.buffer].data is not None
    ]
    for tensor in model.subgraphs[0].tensors:
        buffer, size = model.buffers[tensor.buffer], np.prod(tensor.shape)
        if tensor.type == TensorType.INT8 and buffer.data is not None and size < SMALL_KERNEL:
            kernel = _dequantized(tensor, buffer.data)
            # Names are not unique, so the original is found by its values.
            same_shape = [each for each in originals if each.shape == kernel.shape]
            original = min(same_shape, key=lambda each: np.abs(each - kernel).sum())
            buffer.data = original.reshape(-1).view(np.uint8)
            tensor.type, tensor.quantization = TensorType.FLOAT32, None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _dequantized(tensor: TensorT, data: np.ndarray) -> np.ndarray:
    """The values of a kernel in 8 bits, float32, with one scale for each output channel."""
    shape = np.ones(len(tensor.shape), int)
    shape[tensor.quantization.quantizedDimension] = -1
    scale = np.float32(tensor.quantization.scale).reshape(shape)
    return data.view(np.int8).reshape(tensor.shape) * scale


def load(path: Path) -> Probabilities:
    """The file as a function that runs in ``ai_edge_litert``."""
    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=available_cpu_count())
    run = interpreter.get_signature_runner()  # resizes its tensors to each new batch size
    return lambda images: run(**{INPUT: images})[OUTPUT]
