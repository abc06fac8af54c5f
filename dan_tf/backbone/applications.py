"""Backbones from keras.applications."""

import keras
from keras import layers

MAKERS = {"efficientnetv2-b0": "EfficientNetV2B0", "mobilenetv3-small": "MobileNetV3Small"}
SMALLEST = 32  # smallest image size that keras.applications accepts


def application(name: str, pixels: keras.KerasTensor, stem_stride: int = 4) -> keras.KerasTensor:
    """The feature map of a network of keras.applications; gray is repeated to three channels.

    Their stems are fixed, with a total stride of 32. A stem stride of 2 or 1 enlarges the image two
    or four times instead: the map is as large as that of the other backbones, and the cost grows by
    the same factor.

    Args:
        name: a key of ``MAKERS``.
        pixels: Keras tensor ``(batch, height, width, channels)`` in [0, 255], 1 or 3 channels.
        stem_stride: 4, 2 or 1.
    """
    x = color_at_stride_32(pixels, stem_stride)
    return bare(name, x.shape[1:])(x)


def color_at_stride_32(pixels: keras.KerasTensor, stem_stride: int) -> keras.KerasTensor:
    """The image of three channels that a network of stride 32 needs for a map of this stem stride.

    Gray is repeated to three channels; a stem stride of 2 or 1 enlarges two or four times.
    """
    x = pixels
    if x.shape[-1] == 1:
        x = layers.Concatenate(name="gray_to_colour")([x, x, x])
    if stem_stride < 4:
        x = layers.UpSampling2D(4 // stem_stride, interpolation="bilinear", name="enlarge")(x)
    return x


def bare(name: str, shape: tuple[int, ...], weights: str | None = None) -> keras.Model:
    """The network of keras.applications itself, without its top."""
    base = getattr(keras.applications, MAKERS[name])(
        include_top=False, weights=weights, input_shape=shape, name=name
    )
    for layer in base.layers:
        # MobileNetV3 has 0.999: its moving averages would need thousands of steps to move away from
        # their initial values.
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = min(layer.momentum, 0.99)
    return base
