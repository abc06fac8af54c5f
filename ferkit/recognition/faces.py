"""What a face detector is: it takes a photo, and returns faces with boxes, scores and landmarks."""

import dataclasses
from typing import Protocol

import numpy as np


@dataclasses.dataclass(frozen=True)
class Face:
    """A detected face.

    Attributes:
        box: left, top, right, bottom in pixels from the photo's corner; may extend beyond it.
        score: score of the detector, in [0, 1].
        landmarks: float64 ``(5, 2)``: eyes (the left one in the picture first), nose, mouth
            corners; None if the detector has none.

    Example:
        >>> Face(box=(10.0, 20.0, 110.0, 120.0), score=0.9)
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray | None = None


class Detector(Protocol):
    """Finds faces in a photo.

    One thread at a time uses a detector; each thread of the server makes its own.
    """

    name: str

    def __call__(self, photo: np.ndarray) -> list[Face]:
        """The faces of a uint8 RGB photo ``(height, width, 3)``, highest score first."""
        ...
