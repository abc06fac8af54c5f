"""Equal parts of a batch or a split for several devices or workers."""

import tensorflow as tf


def share_of(rows, index: int, count: int):
    """Start and end of the index-th of `count` nearly equal parts of so many rows, a number or a tensor."""
    return rows * index // count, rows * (index + 1) // count


def slice_of(tensor, index, count):
    """The index-th of `count` nearly equal slices of a tensor's rows."""
    if count == 1:
        return tensor
    start, end = share_of(tf.shape(tensor)[0], index, count)
    return tensor[start:end]
