"""Equal parts of a batch or a split for several devices or workers."""

from typing import Any

import tensorflow as tf


def share_of(rows: Any, index: int, count: int) -> tuple[Any, Any]:
    """Start and end of the index-th of `count` nearly equal parts of `rows`, an int or a tensor."""
    return rows * index // count, rows * (index + 1) // count


def slice_of(tensor: tf.Tensor, index: int, count: int) -> tf.Tensor:
    """The index-th of `count` nearly equal slices of a tensor's rows."""
    if count == 1:
        return tensor
    start, end = share_of(tf.shape(tensor)[0], index, count)
    return tensor[start:end]
