"""One face of a photo: the part of an image that a dataset gives as the face."""

from pathlib import Path

import numpy as np

from generate_data.errors import SET_UP_AGAIN, DataError
from generate_data.images.png import read_image

Box = tuple[int, int, int, int]  # left, top, width, height in pixels


def read_face(path: str | Path, box: Box | None = None) -> np.ndarray:
    """Reads an image, or the part of it in a face box.

    Args:
        path: the file.
        box: the part; what lies outside the image is left out. None: the whole image.

    Returns:
        uint8 (height, width) if the image is gray, else (height, width, 3) in RGB order.

    Raises:
        DataError: the image cannot be read, or no pixel of it is in the box.

    Example:
        >>> read_face("group.jpg", (134, 80, 96, 96)).shape
        (96, 96, 3)
    """
    image = read_image(path)
    if box is None:
        return image
    left, top, width, height = box
    face = image[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    if not face.size:
        problem = (
            f"the face box {box_text(box)} (left, top, width, height) has no pixel of the image, "
            f"which is {image.shape[1]}x{image.shape[0]}"
        )
        raise DataError(path, problem, SET_UP_AGAIN)
    return np.ascontiguousarray(face)


def box_text(box: Box | None) -> str:
    """Formats a box for the manifest: "134 80 96 96", or "" for the whole image."""
    return "" if box is None else " ".join(map(str, box))


def parse_box(text: str) -> Box | None:
    """Reads what `box_text` formats.

    Raises:
        ValueError: the text is neither empty nor four whole numbers.
    """
    if not text:
        return None
    left, top, width, height = map(int, text.split())
    return left, top, width, height
