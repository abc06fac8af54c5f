"""ResNet-18 (He et al., arXiv 1512.03385), the backbone of the original DAN."""

from keras import initializers, layers

from ..normalization import BatchNormalization
from .convnext import imagenet_scale

CHANNELS = (64, 128, 256, 512)


def resnet18(pixels, stem_stride=4):
    """The feature map of a ResNet-18, laid out as torchvision has it (symmetric padding, batch norm by PyTorch's conventions).

    Args:
        pixels: Keras tensor ``(batch, height, width, channels)`` in [0, 255], 1 or 3 channels.
        stem_stride: 4 as in the paper; 2 leaves the max-pooling out; 1 also moves the 7x7 convolution in single steps.

    Returns:
        Keras tensor ``(batch, height / (8 stem_stride), width / (8 stem_stride), 512)``.
    """
    x = imagenet_scale(pixels)
    x = _convolution(x, CHANNELS[0], 7, 1 if stem_stride == 1 else 2, "stem")
    if stem_stride == 4:
        x = layers.MaxPooling2D(3, 2)(
            layers.ZeroPadding2D(1)(x)
        )  # after a ReLU zero pads as well as minus infinity
    for stage, channels in enumerate(CHANNELS):
        for block in range(2):
            stride = 2 if stage and not block else 1
            x = _basic_block(x, channels, stride, f"stage{stage}_block{block}")
    return x


def _basic_block(x, channels, stride, name):
    shortcut = x
    if stride > 1:
        shortcut = _convolution(x, channels, 1, stride, f"{name}_shortcut", relu=False)
    x = _convolution(x, channels, 3, stride, f"{name}_conv1")
    x = _convolution(x, channels, 3, 1, f"{name}_conv2", relu=False)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([shortcut, x]))


def _convolution(x, filters, size, stride, name, relu=True):
    """Convolution with symmetric zeros around, batch norm, ReLU."""
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
