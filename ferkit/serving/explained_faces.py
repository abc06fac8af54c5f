"""Explanations as the page draws them over a photo: the crop's corners, the crop and its map."""

import base64

import cv2
import numpy as np

from ferkit.explanation.drawing import heat_colors
from ferkit.recognition import Face, crop_matrix
from ferkit.recognition.recognizer import Recognizer
from ferkit.serving.schema import face_answer

MAP_PIXELS = 96
MAX_OPACITY = 0.8


def explained_answer(
    recognizer: Recognizer,
    face: Face,
    crop: np.ndarray,
    probabilities: np.ndarray,
    explained: int,
    values: np.ndarray,
) -> dict:
    """A ``schema.ExplainedFace`` as plain data.

    Args:
        recognizer: the recognizer that answered.
        face: the detected face.
        crop: uint8 ``(size, size, channels)``, the input of the model.
        probabilities: ``(classes,)``.
        explained: index of the class that the map is for.
        values: the map, float ``(size, size)`` in [0, 1].
    """
    return face_answer(recognizer, face, probabilities) | {
        "explained": recognizer.class_names[explained],
        "crop": crop_corners(face, recognizer.margin, recognizer.align).round(1).tolist(),
        "seen": _data_url(crop[:, :, ::-1] if crop.shape[2] == 3 else crop),
        "map": _data_url(heat_picture(values)),
    }


def crop_corners(face: Face, margin: float, align: bool) -> np.ndarray:
    """Corners of a face's crop in the photo, ``(4, 2)``, clockwise from the upper left."""
    matrix = crop_matrix(face, 1, margin, align)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
    return (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def heat_picture(values: np.ndarray) -> np.ndarray:
    """A map as uint8 BGRA ``(MAP_PIXELS, MAP_PIXELS, 4)``, opaque where it is strong."""
    size = (MAP_PIXELS, MAP_PIXELS)
    resized = cv2.resize(values.astype(np.float64), size, interpolation=cv2.INTER_LINEAR)
    heat = np.clip(resized, 0, 1)
    picture = np.dstack([heat_colors(heat)[:, :, ::-1], 255 * MAX_OPACITY * heat**0.7])
    return picture.round().astype(np.uint8)


def _data_url(picture: np.ndarray) -> str:
    _, png = cv2.imencode(".png", picture)
    return "data:image/png;base64," + base64.b64encode(png.tobytes()).decode("ascii")
