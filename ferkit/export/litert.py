"""LiteRT, which was TensorFlow Lite.

One file for phones and small computers, with built-in operations only.
"""

import zipfile

import tensorflow as tf

from ferkit.export.signature import INPUT, OUTPUT
from ferkit.tensorflow_runtime import available_cpu_count


def write(graph, path, about, int8=False):
    """Write the file; what is said of the model lies in a zip archive behind it, as TFLite packs
    its associated files.

    Args:
        graph: an ``ExportGraph``.
        path: the file.
        about: file name -> text.
        int8: store the large kernels in 8 bits, with a scale for each output channel; small ones,
            biases and all activations stay float32.
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [graph.serve.get_concrete_function()], graph
    )
    # An operation that LiteRT lacks must fail here, and not on a phone.
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    path.write_bytes(converter.convert())
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in about.items():
            archive.writestr(name, text)


def load(path):
    """A function from float32 images to float32 probabilities, both NumPy, by ``ai_edge_litert``."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=available_cpu_count())
    run = interpreter.get_signature_runner()  # fits its tensors to each new batch size
    return lambda images: run(**{INPUT: images})[OUTPUT]
