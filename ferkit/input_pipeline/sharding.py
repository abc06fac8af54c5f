"""Equal parts of a batch or a split for several devices or workers.

This module imports no TensorFlow: ``training.devices`` uses it before TensorFlow is set up.
"""

from typing import TYPE_CHECKING, Any

from ferkit.tensorflow_runtime import import_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf


def share_of(rows: Any, index: int, count: int) -> tuple[Any, Any]:
    """Start and end of the index-th of `count` nearly equal parts of `rows`, an int or a tensor."""
    return rows * index // count, rows * (index + 1) // count


def slice_of(tensor: "tf.Tensor", index: int, count: int) -> "tf.Tensor":
    """The index-th of `count` nearly equal slices of a tensor's rows."""
    if count == 1:
        return tensor
    start, end = share_of(import_tensorflow().shape(tensor)[0], index, count)
    return tensor[start:end]
