"""ONNX: one file that many runtimes read.

Its packages are optional: ``Format.implementation`` imports this module after ``check_runtime``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import tf2onnx

from ferkit.export.agreement import Probabilities
from ferkit.export.signature import INPUT, OUTPUT, ExportGraph
from ferkit.process import available_cpu_count

OPSET = 17  # supported by all runtimes since 2022; nothing newer is needed


def write(graph: ExportGraph, path: Path, texts: Mapping[str, str], int8: bool = False) -> None:
    """Write the file.

    Args:
        graph: the model.
        path: the file.
        texts: key -> text, stored in the metadata of the file.
        int8: ignored; this format has float32 kernels only.
    """
    model, _ = tf2onnx.convert.from_function(
        graph.serve,
        input_signature=graph.serve.input_signature,
        opset=OPSET,
        custom_op_handlers=HANDLERS,
    )
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.helper.set_model_props(model, dict(texts))
    # tf2onnx keeps operations that it cannot translate, without an error; the checker finds them.
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def load(path: Path) -> Probabilities:
    """The file as a function that runs in ``onnxruntime``."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = available_cpu_count()
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    return lambda images: session.run([OUTPUT], {INPUT: images})[0]


def _erfc(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Replace Erfc, which ONNX lacks, by 1 - Erf; TensorFlow computes the exact GELU with it."""
    (output,), dtype = node.output, context.get_dtype(node.output[0])
    shape, inputs = context.get_shape(output), node.input[:]
    context.remove_node(node.name)
    one = context.make_const(f"{name}_one", np.array(1.0, np.float32))
    erf = context.make_node("Erf", inputs, shapes=[shape], dtypes=[dtype])
    context.make_node(
        "Sub", [one.output[0], erf.output[0]], outputs=[output], shapes=[shape], dtypes=[dtype]
    )


HANDLERS: dict[str, tuple[Any, list[Any]]] = {"Erfc": (_erfc, [])}
