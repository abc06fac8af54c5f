"""ONNX: one file that many runtimes read."""

import numpy as np

from ferkit.export.signature import INPUT, OUTPUT
from ferkit.tensorflow_runtime import available_cpu_count

OPSET = 17  # has been in all runtimes since 2022; nothing newer is needed


def write(graph, path, about, int8=False):
    """Write the file; what is said of the model lies in its metadata.

    Args:
        graph: an ``ExportGraph``.
        path: the file.
        about: key -> text.
        int8: not a choice here.
    """
    import onnx
    import tf2onnx

    model, _ = tf2onnx.convert.from_function(
        graph.serve,
        input_signature=graph.serve.input_signature,
        opset=OPSET,
        custom_op_handlers=HANDLERS,
    )
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.helper.set_model_props(model, about)
    onnx.checker.check_model(
        model
    )  # tf2onnx leaves in what it cannot translate, and raises nothing
    path.write_bytes(model.SerializeToString())


def load(path):
    """A function from float32 images to float32 probabilities, both NumPy, by ``onnxruntime``."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = available_cpu_count()
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    return lambda images: session.run([OUTPUT], {INPUT: images})[0]


def _erfc(context, node, name, args):
    """Erfc, which ONNX lacks and by which TensorFlow computes the exact GELU, as 1 - Erf."""
    (output,), dtype = node.output, context.get_dtype(node.output[0])
    shape, inputs = context.get_shape(output), node.input[:]
    context.remove_node(node.name)
    one = context.make_const(f"{name}_one", np.array(1.0, np.float32))
    erf = context.make_node("Erf", inputs, shapes=[shape], dtypes=[dtype])
    context.make_node(
        "Sub", [one.output[0], erf.output[0]], outputs=[output], shapes=[shape], dtypes=[dtype]
    )


HANDLERS = {"Erfc": (_erfc, [])}
