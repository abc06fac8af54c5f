"""Corrects faces that are sideways or upside down.

YuNet is trained on upright faces. It finds many of the others too, but with a lower score and with
landmarks as if they were upright: the crop would be turned, and its label wrong.
"""

from collections.abc import Callable

import numpy as np

from ferkit.recognition.alignment import crop_matrix, cut_face
from ferkit.recognition.faces import Face

DOUBT = 0.89  # faces with a higher score are upright
SIDE = 128  # pixels of the crop that is turned
MARGIN = 1.0  # of the crop around the box: the face fills half of it
GAIN = 0.02  # a turned face needs a score that is higher by this


def upright(photo: np.ndarray, face: Face, find: Callable[[np.ndarray], np.ndarray]) -> Face:
    """The face, or the face at its place that is found when the photo is turned, if that is surer.

    Args:
        photo: uint8 RGB ``(height, width, 3)``.
        face: a face with landmarks.
        find: photo -> rows of faces; see ``views``.
    """
    if face.score > DOUBT:
        return face
    place = Face(face.box, face.score)
    crop = cut_face(photo, place, SIDE, MARGIN, align=False)
    best = face
    for quarters in (1, 2, 3):
        for row in find(np.ascontiguousarray(np.rot90(crop, quarters))):
            if row[-1] > max(best.score, face.score + GAIN) and _is_central(row):
                best = _turned_back(row, quarters, crop_matrix(place, SIDE, MARGIN, align=False))
    return best


def _is_central(row: np.ndarray) -> bool:
    """Whether a face is the one that the crop was made for, and not a neighbor."""
    return bool(np.abs(row[:2] + row[2:4] / 2 - SIDE / 2).max() < SIDE / 4)


def _turned_back(row: np.ndarray, quarters: int, to_crop: np.ndarray) -> Face:
    """A face of the crop, turned by 90 degrees `quarters` times, in pixels of the photo."""
    points = np.vstack([row[:2], row[:2] + row[2:4], row[4:14].reshape(5, 2)]).astype(np.float64)
    for _ in range(quarters):
        points = np.column_stack([SIDE - points[:, 1], points[:, 0]])  # clockwise
    points = (points - to_crop[:, 2]) / to_crop[0, 0]
    (left, top), (right, bottom) = points[:2].min(axis=0).tolist(), points[:2].max(axis=0).tolist()
    return Face((left, top, right, bottom), float(row[-1]), points[2:])
