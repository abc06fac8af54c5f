"""The operations that a ConvNeXt spends its time on beside matrix products, made quick on a CPU. Plain TensorFlow.

Each equals a one-line ``keras.ops`` formula, given beside it, and is tested against that formula with all gradients.

- ``depthwise``: oneDNN has a kernel for the filter gradient of depthwise convolutions, but takes it only up to three columns;
  wider filters go to its general one, which computes 16 x 16 channel pairs to keep the diagonal. So the gradient of a 7x7
  filter is put together from strips of at most three columns: 23 ms became 10 (8 x 56 x 56 x 96, two cores).
- ``normalize``, ``layer_norm`` and ``bias_gelu``: chains of element-wise operations. TensorFlow runs them one by one, each
  through memory; XLA fuses them to one pass.
"""

import math

import tensorflow as tf

from ..kernel_cropping import reachable_taps

_ROOT_HALF = math.sqrt(0.5)
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)


def depthwise(images, kernel):
    """Depthwise convolution, stride 1, zeros outside. The same as ``keras.ops.depthwise_conv(..., padding="same")``.

    Args:
        images: float32 ``(batch, height, width, channels)``; height and width known.
        kernel: float32 ``(size, size, channels, 1)``, size odd.

    Returns:
        float32, the shape of `images`.
    """
    return _depthwise(images, reachable_taps(tf.convert_to_tensor(kernel), *images.shape[1:3]))


@tf.custom_gradient
def _depthwise(images, kernel):
    def gradient(upstream):
        by_images = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
            input_sizes=tf.shape(images),
            filter=kernel,
            out_backprop=upstream,
            strides=[1, 1, 1, 1],
            padding="SAME",
        )
        return by_images, _filter_gradient(images, kernel, upstream)

    return tf.nn.depthwise_conv2d(images, kernel, [1, 1, 1, 1], "SAME"), gradient


def _filter_gradient(images, kernel, upstream):
    """Gradient to the kernel from strips of columns: the middle three, and pairs to the left and the right of them."""
    rows, columns, channels, _ = kernel.shape

    def strip(width, inputs, outputs, before, after):
        return tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
            input=inputs,
            filter_sizes=[rows, width, channels, 1],
            out_backprop=outputs,
            strides=[1, 1, 1, 1],
            padding="EXPLICIT",
            explicit_paddings=[0, 0, rows // 2, rows // 2, before, after, 0, 0],
        )

    if columns == 1:
        return strip(1, images, upstream, 0, 0)
    strips = [strip(3, images, upstream, 1, 1)]
    for offset in range(2, columns // 2 + 1, 2):
        # Taps `offset` and `offset + 1` columns from the middle: what lies further apart than the crop never meets.
        size = 2 if offset < columns // 2 else 1
        far, near = size - 1, 0
        strips.insert(0, strip(size, images[:, :, :-offset], upstream[:, :, offset:], far, near))
        strips.append(strip(size, images[:, :, offset:], upstream[:, :, :-offset], near, far))
    return tf.concat(strips, axis=1)


def normalize(features, bias, epsilon, dtype="float32"):
    """``(x - mean(x)) / sqrt(var(x) + epsilon)`` with ``x = features + bias``, over the last axis.

    Args:
        features: float32 ``(rows, channels)``.
        bias: float32 ``(channels,)``.
        epsilon: float.
        dtype: of what is returned: "float32" or "bfloat16"; computed in float32.

    Returns:
        `dtype`, the shape of `features`.
    """
    # A variable would be taken for one that the function captures, and what is no tensor becomes one.
    return _differentiable_normalize(
        features, tf.convert_to_tensor(bias), epsilon, tf.zeros((), dtype)
    )


@tf.custom_gradient
def _differentiable_normalize(features, bias, epsilon, like):
    def gradient(upstream):
        by_features = _normalize_gradient(features, bias, epsilon, upstream)
        return by_features, column_sums(by_features), None, None

    return _normalize(features, bias, epsilon, like), gradient


@tf.function(jit_compile=True)
def _normalize(features, bias, epsilon, like):
    centred, scale = _centre(features, bias, epsilon)
    return tf.cast(centred * scale, like.dtype)


def _centre(features, bias, epsilon):
    x = tf.cast(features, tf.float32) + bias
    centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
    return centred, tf.math.rsqrt(
        tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True) + epsilon
    )


@tf.function(jit_compile=True)
def _normalize_gradient(features, bias, epsilon, upstream):
    centred, scale = _centre(features, bias, epsilon)
    return _through_normalization(centred * scale, scale, tf.cast(upstream, tf.float32))


def _through_normalization(normal, scale, upstream):
    """Gradient to what became `normal` when it was centred and scaled."""
    inner = tf.reduce_mean(upstream * normal, axis=-1, keepdims=True)
    return scale * (upstream - tf.reduce_mean(upstream, axis=-1, keepdims=True) - normal * inner)


def layer_norm(features, gain, offset, epsilon):
    """Layer normalization over the last axis, with gain and offset; computed in float32.

    Args:
        features: float32 or bfloat16 ``(rows, channels)``.
        gain, offset: float32 ``(channels,)``.
        epsilon: float.

    Returns:
        The dtype and shape of `features`.
    """
    return _differentiable_layer_norm(
        features, tf.convert_to_tensor(gain), tf.convert_to_tensor(offset), epsilon
    )


@tf.custom_gradient
def _differentiable_layer_norm(features, gain, offset, epsilon):
    def gradient(upstream):
        by_features, by_gain_of_rows = _layer_norm_gradient(features, gain, epsilon, upstream)
        return (
            by_features,
            column_sums(by_gain_of_rows),
            column_sums(tf.cast(upstream, tf.float32)),
            None,
        )

    return _layer_norm(features, gain, offset, epsilon), gradient


@tf.function(jit_compile=True)
def _layer_norm(features, gain, offset, epsilon):
    centred, scale = _centre(features, 0.0, epsilon)
    return tf.cast(centred * scale * gain + offset, features.dtype)


@tf.function(jit_compile=True)
def _layer_norm_gradient(features, gain, epsilon, upstream):
    centred, scale = _centre(features, 0.0, epsilon)
    normal, upstream = centred * scale, tf.cast(upstream, tf.float32)
    return tf.cast(
        _through_normalization(normal, scale, upstream * gain), features.dtype
    ), upstream * normal


def bias_gelu(features, bias):
    """``gelu(features + bias)``, the exact one, with the error function; computed in float32.

    Args:
        features: float32 or bfloat16 ``(rows, channels)``.
        bias: float32 ``(channels,)``.

    Returns:
        The dtype and shape of `features`.
    """
    return _differentiable_bias_gelu(features, tf.convert_to_tensor(bias))


@tf.custom_gradient
def _differentiable_bias_gelu(features, bias):
    def gradient(upstream):
        by_features = _bias_gelu_gradient(features, bias, upstream)
        return by_features, tf.cast(column_sums(by_features), tf.float32)

    return _bias_gelu(features, bias), gradient


@tf.function(jit_compile=True)
def _bias_gelu(features, bias):
    x = tf.cast(features, tf.float32) + bias
    return tf.cast(0.5 * x * (1.0 + tf.math.erf(x * _ROOT_HALF)), features.dtype)


@tf.function(jit_compile=True)
def _bias_gelu_gradient(features, bias, upstream):
    x = tf.cast(features, tf.float32) + bias
    below = 0.5 * (1.0 + tf.math.erf(x * _ROOT_HALF))
    by_features = tf.cast(upstream, tf.float32) * (
        below + x * tf.exp(-0.5 * tf.square(x)) * _DENSITY
    )
    return tf.cast(by_features, features.dtype)


def column_sums(matrix):
    """Sum over the rows, as a product with ones: twice as fast as a reduction."""
    return tf.matmul(tf.ones((1, tf.shape(matrix)[0]), matrix.dtype), matrix)[0]
