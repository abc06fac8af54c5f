"""Resizes and converts images to what a model takes."""

import tensorflow as tf


def resize_to_input(images, input_shape):
    """Images as a model takes them: float32, its number of channels, its size.

    Args:
        images: uint8 or float tensor ``(batch, height, width, channels)`` in [0, 255], 1 or 3 channels.
        input_shape: height, width and channels wanted.

    Returns:
        float32 tensor in [0, 255]. Enlarged by bilinear interpolation; made smaller with an antialiasing filter.
    """
    images = tf.cast(images, tf.float32)
    if images.shape[-1] != input_shape[-1]:
        images = (
            tf.image.grayscale_to_rgb(images)
            if input_shape[-1] == 3
            else tf.image.rgb_to_grayscale(images)
        )
    if tuple(images.shape[1:3]) != tuple(input_shape[:2]):
        images = tf.image.resize(images, input_shape[:2], antialias=True)
    return images
