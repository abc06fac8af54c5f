"""Residual feature extractor of ``variant="residual"``.

Its widths are where a small budget of multiply-adds gained the most accuracy.
"""

import keras
from keras import layers

from .normalization import FusedBatchNormalization

WIDTHS = (16, 64, 128, 160)  # channels at 48, 24, 12 and 6 pixels


def residual_features(
    images: keras.KerasTensor, widths: tuple[int, ...] = WIDTHS
) -> keras.KerasTensor:
    """Stem at full size, then residual blocks at a half, a quarter and an eighth of it.

    All convolutions of the blocks are dense 3x3.

    Args:
        images: ``(batch, height, width, channels)``, scaled to [-1, 1].
        widths: channels of the stem and of the three blocks.

    Returns:
        ``(batch, height / 8, width / 8, widths[-1])``.

    Reference: He et al., arXiv 1512.03385, with pooling before the shortcut's 1x1 convolution as in
    arXiv 1812.01187, figure 2.
    """
    x = _convolution(images, widths[0], "stem1")
    x = _convolution(x, widths[1], "stem2", strides=2)
    for index, width in enumerate(widths[1:], start=1):
        x = _block(x, width, f"block{index}", strides=1 if index == 1 else 2)
    return x


def _block(x: keras.KerasTensor, width: int, name: str, strides: int) -> keras.KerasTensor:
    inner = _convolution(x, width, f"{name}_conv1", strides=strides)
    inner = _convolution(inner, width, f"{name}_conv2", activate=False)
    if strides > 1:
        x = layers.AveragePooling2D(strides, padding="same", name=f"{name}_pool")(x)
    if x.shape[-1] != width:
        x = _convolution(x, width, f"{name}_shortcut", kernel_size=1, activate=False)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_sum")([x, inner]))


def _convolution(
    x: keras.KerasTensor,
    width: int,
    name: str,
    kernel_size: int = 3,
    strides: int = 1,
    activate: bool = True,
) -> keras.KerasTensor:
    """Convolution, batch normalization and, if `activate`, ReLU."""
    settings = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    x = layers.Conv2D(width, kernel_size, strides=strides, name=name, **settings)(x)
    x = FusedBatchNormalization(momentum=0.95, epsilon=1e-5, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if activate else x
