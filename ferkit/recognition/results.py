"""What the recognizer returns: the expressions of the faces of a photo."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from ferkit.process import imported

UNSURE = 0.4  # a label with a lower probability is unreliable; chance is 0.14 for seven classes


@dataclasses.dataclass(frozen=True)
class Expression:
    """The predicted expression of a face.

    Attributes:
        label: the most likely class.
        probabilities: class name -> probability; they sum to 1.
        box: left, top, right, bottom of the face in pixels of the photo.
        score: score of the detector, in [0, 1].
        landmarks: ``(5, 2)``, or None.
        track: number of the face in a stream, from 1, which it keeps from frame to frame; None in a
            photo.
        threshold: confidence below which the label is unsure, where a maximum error was asked for;
            None: ``UNSURE``.

    Example:
        >>> face = Recognizer().predict("photo.jpg")[0]
        >>> print(face.label, round(face.probabilities["happy"], 2), face.box)
        happy 0.99 (180.2, 70.1, 268.9, 182.7)
    """

    label: str
    probabilities: dict[str, float]
    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray | None = None
    track: int | None = None
    threshold: float | None = None

    @property
    def confidence(self) -> float:
        """Probability of the label."""
        return self.probabilities[self.label]

    @property
    def is_unsure(self) -> bool:
        """Whether the confidence is below the threshold, so that the label is unreliable."""
        return self.confidence < (UNSURE if self.threshold is None else self.threshold)


class Faces(list[Expression]):
    """The faces of a photo: a list that knows where they come from.

    Args:
        expressions: one of each face.
        source: path of the photo; "" if it has none, as an array.
        class_names: names of the classes, in order.

    Example:
        >>> faces = Recognizer().predict("photo.jpg")
        >>> len(faces), faces.source
        (1, 'photo.jpg')
    """

    def __init__(
        self,
        expressions: Iterable[Expression] = (),
        source: str = "",
        class_names: Iterable[str] = (),
    ) -> None:
        super().__init__(expressions)
        self.source, self.class_names = source, tuple(class_names)

    def to_dataframe(self) -> Any:
        """A pandas DataFrame with a row for each face; see ``ferkit.to_dataframe``.

        Raises:
            UserError: pandas is not installed.
        """
        return imported("ferkit.prediction.dataframe:to_dataframe")([self])
