"""ResNet-18 (He et al., arXiv 1512.03385), the backbone of the original DAN."""

import keras
from keras import initializers, layers

from ..normalization import BatchNormalization
from .convnext import imagenet_scale

CHANNELS = (64, 128, 256, 512)


def resnet18(pixels: keras.KerasTensor, stem_stride: int = 4) -> keras.KerasTensor:
    """The feature map of a ResNet-18 with torchvision's conventions.

    These are symmetric padding, and PyTorch's batch norm.

    Args:
        pixels: Keras tensor ``(batch, height, width, channels)`` in [0, 255], 1 or 3 channels.
        stem_stride: 4 as in the paper; 2 leaves out the max-pooling; 1 also gives the 7x7
            convolution a stride of 1.

    Returns:
        Keras tensor ``(batch, height / (8 stem_stride), width / (8 stem_stride), 512)``.
    """
    x = imagenet_scale(pixels)
    x = _convolution(x, CHANNELS[0], 7, 1 if stem_stride == 1 else 2, "stem")
    if stem_stride == 4:
        # After a ReLU, padding with zero is equivalent to padding with minus infinity.
        x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))
    for stage, channels in enumerate(CHANNELS):
        for block in range(2):
            stride = 2 if stage and not block else 1
            x = _basic_block(x, channels, stride, f"stage{stage}_block{block}")
    return x


def _basic_block(x: keras.KerasTensor, channels: int, stride: int, name: str) -> keras.KerasTensor:
    shortcut = x
    if stride > 1:
        shortcut = _convolution(x, channels, 1, stride, f"{name}_shortcut", relu=False)
    x = _convolution(x, channels, 3, stride, f"{name}_conv1")
    x = _convolution(x, channels, 3, 1, f"{name}_conv2", relu=False)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([shortcut, x]))


def _convolution(
    x: keras.KerasTensor, filters: int, size: int, stride: int, name: str, relu: bool = True
) -> keras.KerasTensor:
    """Convolution with symmetric zero padding, batch norm and, if `relu`, ReLU."""
    if size > 1:
        x = layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
    initializer = initializers.VarianceScaling(
        2.0, mode="fan_out", distribution="untruncated_normal"
    )
    x = layers.Conv2D(
        filters, size, stride, use_bias=False, kernel_initializer=initializer, name=name
    )(x)
    x = BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x
