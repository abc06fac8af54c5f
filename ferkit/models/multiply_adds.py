"""Multiply-adds of a model, counted on its TensorFlow graph."""

import math


def multiply_adds(model) -> int:
    """Multiply-adds of one image's inference, read off the traced graph.

    Counted are convolutions (plain, grouped and depthwise) and matrix products, also within functions that the graph calls: a
    multiplication with its addition is one. Not counted is what is done once for each value, as activations, normalization,
    biases, pooling and resampling. Zeros that padding brings in count as values.
    """
    import tensorflow as tf

    spec = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    return _graph_products(
        tf.function(lambda pixels: model(pixels, training=False)).get_concrete_function(spec).graph
    )


def _graph_products(graph):
    total = 0
    for op in graph.get_operations():
        if op.type in ("PartitionedCall", "StatefulPartitionedCall"):
            total += _graph_products(graph._get_function(op.get_attr("f").name).graph)
        elif op.type in ("Conv2D", "DepthwiseConv2dNative"):
            kernel = op.inputs[1].shape  # (height, width, input channels of a group, outputs)
            total += (
                op.outputs[0].shape.num_elements()
                * kernel[: 3 if op.type == "Conv2D" else 2].num_elements()
            )
        elif op.type in ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"):
            turned = op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x")
            total += op.outputs[0].shape.num_elements() * op.inputs[0].shape[-2 if turned else -1]
        elif op.type == "Einsum":
            letters = op.get_attr("equation").decode().split("->")[0].split(",")
            sizes = {
                k: size
                for term, x in zip(letters, op.inputs, strict=True)
                for k, size in zip(term, x.shape, strict=True)
            }
            total += math.prod(sizes.values())
    return total
