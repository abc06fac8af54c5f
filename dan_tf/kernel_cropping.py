"""Cropping convolution kernels to the part that a small feature map can use."""

import keras


def reachable_taps(
    kernel: keras.Variable | keras.KerasTensor, height: int | None, width: int | None
) -> keras.Variable | keras.KerasTensor:
    """The part of a kernel that can meet a pixel of the map.

    On a map of one pixel, for example, this is only the middle tap of a 3x3 kernel.

    Args:
        kernel: ``(rows, columns, ...)``, both odd.
        height, width: size of the map in pixels; None if unknown.
    """
    rows, columns = kernel.shape[:2]
    top = max(0, rows // 2 - height + 1) if height else 0
    left = max(0, columns // 2 - width + 1) if width else 0
    return kernel[top : rows - top, left : columns - left] if top or left else kernel
