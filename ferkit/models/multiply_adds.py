"""Multiply-adds of a model, counted on its TensorFlow graph."""

import math

import keras
import tensorflow as tf


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of inference on one image, counted on the traced graph.

    Convolutions (plain, grouped and depthwise) and matrix products are counted, also in functions
    that the graph calls; a multiplication with its addition is one. Element-wise operations are
    not: activations, normalization, biases, pooling and resampling. Padding zeros count as values.
    """
    spec = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    function = tf.function(lambda pixels: model(pixels, training=False))
    return _count_products(function.get_concrete_function(spec).graph)


def _count_products(graph: tf.Graph) -> int:
    total = 0
    for op in graph.get_operations():
        if op.type in ("PartitionedCall", "StatefulPartitionedCall"):
            # TensorFlow has no public way from a call to the graph of the called function.
            total += _count_products(graph._get_function(op.get_attr("f").name).graph)
        elif op.type in ("Conv2D", "DepthwiseConv2dNative"):
            kernel = op.inputs[1].shape  # (height, width, input channels per group, outputs)
            per_output = kernel[: 3 if op.type == "Conv2D" else 2].num_elements()
            total += op.outputs[0].shape.num_elements() * per_output
        elif op.type in ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"):
            transposed = op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x")
            inner = op.inputs[0].shape[-2 if transposed else -1]
            total += op.outputs[0].shape.num_elements() * inner
        elif op.type == "Einsum":
            terms = op.get_attr("equation").decode().split("->")[0].split(",")
            sizes = {
                letter: size
                for term, operand in zip(terms, op.inputs, strict=True)
                for letter, size in zip(term, operand.shape, strict=True)
            }
            total += math.prod(sizes.values())
    return total
