"""The spatial transformer as fused TensorFlow functions with hand-written gradients (XLA).

Why it is fast on a CPU: four shifted copies of the image are packed along the channels, so that
one gather reads all neighbors of a point. XLA fuses the packing, the coordinates, the gather and
the interpolation. The forward pass keeps the slopes along x and y, so that the gradient to theta
is a product and a few sums. The convolutions around it stay outside XLA, whose convolutions are
slower than oneDNN's.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def transform(
    image: tf.Tensor | np.ndarray,
    theta: tf.Tensor,
    out_size: tuple[int, int],
    compiled: bool = True,
) -> tf.Tensor:
    """Warp by affine theta; see ``transformer.spatial_transform`` for the conventions.

    Args:
        image: float32 tensor ``(batch, height, width, channels)``; only batch may be unknown.
        theta: float32 tensor ``(batch, 6)``.
        out_size: ``(out_height, out_width)`` in pixels.
        compiled: compile with XLA; if False, the same function runs operation by operation.

    Returns:
        float32 tensor ``(batch, out_height, out_width, channels)``.
    """
    image, theta = tf.convert_to_tensor(image), tf.convert_to_tensor(theta)
    return _differentiable(tuple(out_size), bool(compiled))(image, theta)


@functools.cache
def _differentiable(out_size: tuple[int, int], compiled: bool) -> Callable[..., tf.Tensor]:
    def build(function: Callable[..., Any]) -> Callable[..., Any]:
        sized = functools.partial(function, out_size=out_size)
        return tf.function(sized, jit_compile=True, autograph=False) if compiled else sized

    cell_index, forward = build(_cell_index), build(_forward)
    gradient_to_image = build(_gradient_to_image)

    @tf.custom_gradient
    def warp(
        image: tf.Tensor, theta: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        # The index has its own function: inside `forward` XLA would compute it once per neighbor.
        warped, slope_x, slope_y = forward(image, theta, cell_index(image, theta))

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # Separate functions, so that a graph without gradient to the image can prune that one.
            to_image = gradient_to_image(image, theta, upstream)
            return to_image, _gradient_to_theta(slope_x, slope_y, upstream, image.shape, out_size)

        return warped, gradient

    return warp


def _grid(
    shape: tf.TensorShape, out_size: tuple[int, int]
) -> tuple[float, float, tf.Tensor, tf.Tensor]:
    """Center of the input and offsets of the output's points from it, in input pixels.

    Returns:
        ``(center_x, center_y, u, v)`` with u ``(out_width,)`` and v ``(out_height,)``.
    """
    height, width = shape[1], shape[2]
    out_height, out_width = out_size
    u = (tf.range(out_width, dtype=tf.float32) - (out_width - 1) / 2.0) * (
        (width - 1) / max(out_width - 1, 1)
    )
    v = (tf.range(out_height, dtype=tf.float32) - (out_height - 1) / 2.0) * (
        (height - 1) / max(out_height - 1, 1)
    )
    return (width - 1) / 2.0, (height - 1) / 2.0, u, v


def _cells(
    shape: tf.TensorShape, theta: tf.Tensor, out_size: tuple[int, int]
) -> tuple[tf.Tensor, ...]:
    """For each output point its cell, its position in the cell, and whether it is inside.

    Returns:
        ``(cell, right, bottom, inside_x, inside_y)``, each ``(batch, out_height, out_width)``.
        Outside the image the gradient to the coordinate is zero.
    """
    height, width = shape[1], shape[2]
    center_x, center_y, u, v = _grid(shape, out_size)
    u, v = u[None, None, :], v[None, :, None]
    t = [tf.reshape(theta[:, i], [-1, 1, 1]) for i in range(6)]
    x = center_x + t[0] * u + t[1] * (v * (center_x / max(center_y, 0.5))) + t[2] * center_x
    y = center_y + t[3] * (u * (center_y / max(center_x, 0.5))) + t[4] * v + t[5] * center_y
    inside_x, inside_y = (x > -1.0) & (x < width), (y > -1.0) & (y < height)
    # One pixel outside everything is zero border already. NaN is clipped to there too, and stays
    # visible in the position within the cell.
    x, y = tf.clip_by_value(x, -1.0, float(width)), tf.clip_by_value(y, -1.0, float(height))
    left, top = tf.minimum(tf.floor(x), width - 1.0), tf.minimum(tf.floor(y), height - 1.0)
    cell = tf.cast((top + 1.0) * (width + 1) + (left + 1.0), tf.int32)
    return cell, x - left, y - top, inside_x, inside_y


def _cell_index(image: tf.Tensor, theta: tf.Tensor, out_size: tuple[int, int]) -> tf.Tensor:
    """Only the cells of ``_cells``."""
    return _cells(image.shape, theta, out_size)[0]


def _forward(
    image: tf.Tensor, theta: tf.Tensor, cell: tf.Tensor, out_size: tuple[int, int]
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The warped image and its slopes along x and y, which the gradient to theta needs."""
    height, width, channels = image.shape[1:]
    points = out_size[0] * out_size[1]
    padded = tf.pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]])
    corners = [padded[:, :-1, :-1], padded[:, :-1, 1:], padded[:, 1:, :-1], padded[:, 1:, 1:]]
    packed = tf.reshape(tf.stack(corners, axis=3), [-1, (height + 1) * (width + 1), 4 * channels])

    _, right, bottom, inside_x, inside_y = _cells(image.shape, theta, out_size)
    near = tf.gather(packed, tf.reshape(cell, [-1, points]), batch_dims=1)
    near = tf.reshape(near, [-1, out_size[0], out_size[1], 4, channels])
    top_left, top_right, bottom_left, bottom_right = (near[:, :, :, k] for k in range(4))
    right, bottom = right[..., None], bottom[..., None]
    slope_top, slope_bottom = top_right - top_left, bottom_right - bottom_left
    upper, lower = top_left + slope_top * right, bottom_left + slope_bottom * right
    slope_y = lower - upper
    slope_x = slope_top + (slope_bottom - slope_top) * bottom
    zero = tf.zeros_like(slope_x)
    slope_x = tf.where(inside_x[..., None], slope_x, zero)
    return upper + slope_y * bottom, slope_x, tf.where(inside_y[..., None], slope_y, zero)


def _gradient_to_theta(
    slope_x: tf.Tensor,
    slope_y: tf.Tensor,
    upstream: tf.Tensor,
    shape: tf.TensorShape,
    out_size: tuple[int, int],
) -> tf.Tensor:
    center_x, center_y, u, v = _grid(shape, out_size)

    def moments(slope: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Sums of slope times upstream gradient times u, v and 1: three tensors (batch,)."""
        pull = (
            tf.reduce_sum(slope * upstream, axis=3)
            if shape[3] > 1
            else tf.squeeze(slope * upstream, axis=3)
        )
        columns, rows = tf.reduce_sum(pull, axis=1), tf.reduce_sum(pull, axis=2)
        return (
            tf.reduce_sum(columns * u, axis=1),
            tf.reduce_sum(rows * v, axis=1),
            tf.reduce_sum(rows, axis=1),
        )

    x_u, x_v, x_1 = moments(slope_x)
    y_u, y_v, y_1 = moments(slope_y)
    aspect_x, aspect_y = center_x / max(center_y, 0.5), center_y / max(center_x, 0.5)
    return tf.stack(
        [x_u, x_v * aspect_x, x_1 * center_x, y_u * aspect_y, y_v, y_1 * center_y], axis=1
    )


def _gradient_to_image(
    image: tf.Tensor, theta: tf.Tensor, upstream: tf.Tensor, out_size: tuple[int, int]
) -> tf.Tensor:
    height, width, channels = image.shape[1:]
    cell, right, bottom, _, _ = _cells(image.shape, theta, out_size)
    right, bottom = right[..., None], bottom[..., None]
    weights = [
        (1 - right) * (1 - bottom),
        right * (1 - bottom),
        (1 - right) * bottom,
        right * bottom,
    ]
    packed = tf.stack([upstream * weight for weight in weights], axis=3)
    cells, batch = (height + 1) * (width + 1), tf.shape(image)[0]
    index = cell + tf.reshape(tf.range(batch) * cells, [-1, 1, 1])
    summed = tf.math.unsorted_segment_sum(
        tf.reshape(packed, [-1, 4 * channels]), tf.reshape(index, [-1]), batch * cells
    )
    summed = tf.reshape(summed, [-1, height + 1, width + 1, 4, channels])
    # Undo the packing: corner k = (dy, dx) of cell (i, j) is padded pixel (i + dy, j + dx).
    shifts = [[[0, 0], [dy, 1 - dy], [dx, 1 - dx], [0, 0]] for dy in (0, 1) for dx in (0, 1)]
    padded = tf.add_n([tf.pad(summed[:, :, :, k], shift) for k, shift in enumerate(shifts)])
    return padded[:, 1:-1, 1:-1]
