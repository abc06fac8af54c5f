"""How the pixels of any photo become 8-bit pixels without transparency.

Set-up and prediction use these rules, so that a model sees the same pixels in both.
"""

import cv2
import numpy as np

BACKGROUND = 127  # mid-gray, behind transparent pixels
ROWS = 256  # blended at a time, which bounds the memory
# Largest values of 1, 8, 10, 12 and 16 bits: cameras store 10 and 12 bits in 16 without scaling.
FULL_RANGES = (1, 255, 1023, 4095, 65535)


def eight_bits(pixels: np.ndarray) -> np.ndarray:
    """Scales pixels of another type to 8 bits.

    The brightest pixel decides which range the values have: the smallest one of ``FULL_RANGES``
    that holds it. Negative and even larger values are scaled by their own range.

    Args:
        pixels: int or float, any shape; infinite pixels and nan become 0.

    Returns:
        uint8, the same shape.
    """
    if pixels.dtype.kind == "f":
        pixels = np.nan_to_num(pixels.astype(np.float32, copy=False), posinf=0.0, neginf=0.0)
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)  # OpenCV needs the native
    low, high = float(pixels.min(initial=0)), float(pixels.max(initial=0))
    if low < 0 or high > FULL_RANGES[-1]:
        scale = 255.0 / max(high - low, 1e-12)
        return cv2.convertScaleAbs(pixels, alpha=scale, beta=-low * scale)
    full = next(value for value in FULL_RANGES if high <= value)
    return cv2.convertScaleAbs(pixels, alpha=255.0 / full)


def on_gray(pixels: np.ndarray) -> np.ndarray:
    """Blends transparent pixels with mid-gray, so that hidden colors are not seen.

    Args:
        pixels: uint8 (height, width, 4); the last channel is the opacity.

    Returns:
        uint8 (height, width, 3).
    """
    blended = np.empty((*pixels.shape[:2], 3), np.uint8)
    for top in range(0, len(pixels), ROWS):
        part = pixels[top : top + ROWS].astype(np.uint16)
        opacity = part[:, :, 3:]
        blended[top : top + ROWS] = (
            part[:, :, :3] * opacity + BACKGROUND * (255 - opacity) + 127
        ) // 255
    return blended
