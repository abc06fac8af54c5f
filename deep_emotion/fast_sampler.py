"""The spatial transformer as fused TensorFlow functions with hand-written gradients, compiled by XLA.

Why it is fast on a CPU: four shifted copies of the image lie packed side by side, so that one gather reads all
neighbours of a point; XLA fuses the packing, the coordinates, the gather and the blend; the forward pass keeps the slopes
along x and y, so that the gradient to theta is a product and a few sums. The convolutions around it stay outside XLA, whose
own are slower than oneDNN's.
"""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf


def transform(
    image: tf.Tensor | np.ndarray,
    theta: tf.Tensor,
    out_size: tuple[int, int],
    compiled: bool = True,
) -> tf.Tensor:
    """Warp by affine theta; see ``transformer.spatial_transform`` for conventions.

    Args:
        image: float32 tensor ``(batch, height, width, channels)``, all but batch known.
        theta: float32 tensor ``(batch, 6)``.
        out_size: ``(out_height, out_width)`` in pixels.
        compiled: compile with XLA; without, the same function runs op by op.

    Returns:
        float32 tensor ``(batch, out_height, out_width, channels)``.
    """
    image, theta = tf.convert_to_tensor(image), tf.convert_to_tensor(theta)
    return _differentiable(tuple(out_size), bool(compiled))(image, theta)


@functools.cache
def _differentiable(out_size: tuple[int, int], compiled: bool) -> Callable:
    def build(function):
        function = functools.partial(function, out_size=out_size)
        return tf.function(function, jit_compile=True, autograph=False) if compiled else function

    cell_index, forward, gradient_to_image = (
        build(_cell_index),
        build(_forward),
        build(_gradient_to_image),
    )

    @tf.custom_gradient
    def warp(image, theta):
        # The index apart: within one function XLA would work it out anew for each of the four neighbours.
        warped, slope_x, slope_y = forward(image, theta, cell_index(image, theta))

        def gradient(upstream):
            # Two functions, so that a graph which needs no gradient to the image prunes that one.
            to_image = gradient_to_image(image, theta, upstream)
            return to_image, _gradient_to_theta(slope_x, slope_y, upstream, image.shape, out_size)

        return warped, gradient

    return warp


def _grid(
    shape: tf.TensorShape, out_size: tuple[int, int]
) -> tuple[float, float, tf.Tensor, tf.Tensor]:
    """Centre (x, y) of the input and the output's offsets from it, in input pixels: u (out_width,), v (out_height,)."""
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
    """For each output point its cell, its place within it, and whether it may move: all (batch, out_height, out_width)."""
    height, width = shape[1], shape[2]
    centre_x, centre_y, u, v = _grid(shape, out_size)
    u, v = u[None, None, :], v[None, :, None]
    t = [tf.reshape(theta[:, i], [-1, 1, 1]) for i in range(6)]
    x = centre_x + t[0] * u + t[1] * (v * (centre_x / max(centre_y, 0.5))) + t[2] * centre_x
    y = centre_y + t[3] * (u * (centre_y / max(centre_x, 0.5))) + t[4] * v + t[5] * centre_y
    inside_x, inside_y = (x > -1.0) & (x < width), (y > -1.0) & (y < height)
    # One pixel outside is all zero border already; NaN is sent there too, where it stays visible in the share.
    x, y = tf.clip_by_value(x, -1.0, float(width)), tf.clip_by_value(y, -1.0, float(height))
    left, top = tf.minimum(tf.floor(x), width - 1.0), tf.minimum(tf.floor(y), height - 1.0)
    cell = tf.cast((top + 1.0) * (width + 1) + (left + 1.0), tf.int32)
    return cell, x - left, y - top, inside_x, inside_y


def _cell_index(image: tf.Tensor, theta: tf.Tensor, out_size: tuple[int, int]) -> tf.Tensor:
    return _cells(image.shape, theta, out_size)[0]


def _forward(
    image: tf.Tensor, theta: tf.Tensor, cell: tf.Tensor, out_size: tuple[int, int]
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
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
    centre_x, centre_y, u, v = _grid(shape, out_size)

    def moments(slope):
        """Sums of the upstream slope times u, v and 1: three tensors (batch,)."""
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
    aspect_x, aspect_y = centre_x / max(centre_y, 0.5), centre_y / max(centre_x, 0.5)
    return tf.stack(
        [x_u, x_v * aspect_x, x_1 * centre_x, y_u * aspect_y, y_v, y_1 * centre_y], axis=1
    )


def _gradient_to_image(
    image: tf.Tensor, theta: tf.Tensor, upstream: tf.Tensor, out_size: tuple[int, int]
) -> tf.Tensor:
    height, width, channels = image.shape[1:]
    cell, right, bottom, _, _ = _cells(image.shape, theta, out_size)
    right, bottom = right[..., None], bottom[..., None]
    shares = [
        (1 - right) * (1 - bottom),
        right * (1 - bottom),
        (1 - right) * bottom,
        right * bottom,
    ]
    packed = tf.stack([upstream * share for share in shares], axis=3)
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
