"""Backbones by name, all from pixels in [0, 255] to a feature map."""

import keras

from . import applications, convnext, efficientnet_lite, resnet
from .pretrained import load_backbone_weights

__all__ = [
    "BACKBONES",
    "build_backbone",
    "default_head_width",
    "load_backbone_weights",
    "total_stride",
]

STEM_STRIDES = (4, 2, 1)
BACKBONES = (*convnext.SIZES, "resnet18", *applications.MAKERS, *efficientnet_lite.SCALES)


def total_stride(stem_stride: int) -> int:
    """Pixels of the image per position of the map, along each axis."""
    return 8 * stem_stride


def default_head_width(name: str, channels: int) -> int:
    """Channels inside a head of DAN: a third of the backbone's, in steps of 8.

    On an EfficientNet-Lite, whose last convolution widens the map four times, it is 40.
    """
    if name in efficientnet_lite.SCALES:
        return efficientnet_lite.HEAD_WIDTH
    return max(8, channels // 3 // 8 * 8)


def build_backbone(
    name: str,
    image_size: int,
    channels: int,
    stem_stride: int = 4,
    drop_path: float = 0.0,
    layer_scale: float = 1e-6,
) -> keras.Model:
    """A backbone as a separate model, named "backbone".

    Args:
        name: one of ``BACKBONES``.
        image_size: height and width of the input in pixels.
        channels: 1 for gray, 3 for color.
        stem_stride: 4, 2 or 1; the map's side is ``image_size // (8 * stem_stride)``.
        drop_path: rate of stochastic depth, for ConvNeXt and EfficientNet-Lite.
        layer_scale: initial value of the layer scale, for the ConvNeXts.

    Returns:
        ``keras.Model`` from ``(batch, image_size, image_size, channels)`` in [0, 255] to
        ``(batch, height, width, features)``.

    Raises:
        ValueError: unknown name, invalid stride, or an image that is too small for the stride.
    """
    if name not in BACKBONES:
        raise ValueError(
            f"Expected `backbone` to be one of {', '.join(BACKBONES)}. Received: backbone={name!r}"
        )
    if stem_stride not in STEM_STRIDES:
        raise ValueError(
            f"Expected `stem_stride` to be 4, 2 or 1. Received: stem_stride={stem_stride!r}"
        )
    _check_size(name, image_size, stem_stride)
    pixels = keras.Input((image_size, image_size, channels), name="pixels")
    if name in convnext.SIZES:
        features = convnext.convnext(name, pixels, stem_stride, drop_path, layer_scale)
    elif name == "resnet18":
        features = resnet.resnet18(pixels, stem_stride)
    elif name in efficientnet_lite.SCALES:
        features = efficientnet_lite.efficientnet_lite(name, pixels, stem_stride, drop_path)
    else:
        features = applications.application(name, pixels, stem_stride)
    return keras.Model(pixels, features, name="backbone")


def _check_size(name: str, image_size: int, stem_stride: int) -> None:
    least = max(
        total_stride(stem_stride),
        applications.SMALLEST * stem_stride // 4 if name in applications.MAKERS else 0,
    )
    if image_size < least:
        smaller = [stride for stride in STEM_STRIDES if total_stride(stride) <= image_size]
        advice = f", or a stem_stride of {smaller[0]}" if smaller else ""
        raise ValueError(
            f"{name} with stem_stride={stem_stride} shrinks an image "
            f"{total_stride(stem_stride)} times, "
            f"so `image_size` must be at least {least}{advice}. Received: image_size={image_size}"
        )
