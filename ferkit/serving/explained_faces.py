"""Explanations as the page lays them over a photo: where the crop lies, what the model saw, and its map."""

import base64

import numpy as np

from ferkit.explanation.drawing import heat_colours
from ferkit.recognition import crop_matrix
from ferkit.serving.schema import face_answer

SIDE = 96  # pixels of a map's picture
MOST_COVER = 0.8


def explained_answer(recognizer, found, crop, probabilities, explained: int, values) -> dict:
    """An ``ExplainedFace`` as plain data.

    Args:
        recognizer: a ``Recognizer``.
        found: a ``detection.Face``.
        crop: uint8 ``(size, size, channels)``, what the model saw of it.
        probabilities: ``(classes,)``.
        explained: number of the class that the map is of.
        values: the map, float ``(size, size)`` in [0, 1].
    """
    return face_answer(recognizer, found, probabilities) | {
        "explained": recognizer.class_names[explained],
        "crop": crop_corners(found, recognizer.margin, recognizer.align).round(1).tolist(),
        "seen": _data_url(crop[:, :, ::-1] if crop.shape[2] == 3 else crop),
        "map": _data_url(heat_picture(values)),
    }


def crop_corners(face, margin: float, align: bool) -> np.ndarray:
    """Corners of a face's crop in the photo, ``(4, 2)``, clockwise from the upper left."""
    matrix = crop_matrix(face, 1, margin, align)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
    return (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def heat_picture(values: np.ndarray) -> np.ndarray:
    """A map as uint8 ``(SIDE, SIDE, 4)``, blue green red alpha: hot where it is strong, clear where it is 0."""
    import cv2

    heat = np.clip(
        cv2.resize(values.astype(np.float64), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), 0, 1
    )
    picture = np.dstack([heat_colours(heat)[:, :, ::-1], 255 * MOST_COVER * heat**0.7])
    return picture.round().astype(np.uint8)


def _data_url(picture):
    import cv2

    _, png = cv2.imencode(".png", picture)
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
