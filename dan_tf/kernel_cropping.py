"""What the layers here share about convolution kernels."""

import keras


def reachable_taps(
    kernel: keras.Variable, height: int, width: int
) -> keras.KerasTensor | keras.Variable:
    """The part of a kernel that can meet a pixel: on a map of one pixel only the middle tap of a 3x3 kernel ever does.

    Args:
        kernel: ``(rows, columns, ...)``, both odd.
        height, width: of the map; None where unknown.
    """
    rows, columns = kernel.shape[:2]
    top = max(0, rows // 2 - height + 1) if height else 0
    left = max(0, columns // 2 - width + 1) if width else 0
    return kernel[top : rows - top, left : columns - left] if top or left else kernel
