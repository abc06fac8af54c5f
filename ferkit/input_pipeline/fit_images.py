"""Resizes and converts images to the input of a model."""

import tensorflow as tf


def resize_to_input(images: tf.Tensor, input_shape: tuple[int, int, int]) -> tf.Tensor:
    """Images as the input of a model: float32, its number of channels, its size.

    Args:
        images: uint8 or float ``(batch, height, width, channels)`` in [0, 255], 1 or 3 channels.
        input_shape: height, width and channels of the model's input.

    Returns:
        float32 in [0, 255]. Enlarged by bilinear interpolation; reduced with antialiasing.
    """
    images = tf.cast(images, tf.float32)
    if images.shape[-1] != input_shape[-1]:
        to_color, to_gray = tf.image.grayscale_to_rgb, tf.image.rgb_to_grayscale
        images = to_color(images) if input_shape[-1] == 3 else to_gray(images)
    if tuple(images.shape[1:3]) != tuple(input_shape[:2]):
        images = tf.image.resize(images, input_shape[:2], antialias=True)
    return images
