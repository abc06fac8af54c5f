"""The recognizer: photos in, faces with probabilities out. The one place where a face becomes the pixels that a model sees."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from ferkit.errors import UserError
from ferkit.recognition.photos import read_photo

UNSURE = 0.4  # below this probability a label says little: the chance of seven classes is 0.14


@dataclasses.dataclass(frozen=True)
class Expression:
    """What the model says of a face.

    Attributes:
        label: the likeliest class.
        probabilities: class name -> probability; they sum to 1.
        box: left, top, right, bottom of the face in pixels of the photo.
        score: the detector's, in [0, 1].
        landmarks: ``(5, 2)``, or None.
    """

    label: str
    probabilities: dict[str, float]
    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray | None = None

    @property
    def confidence(self) -> float:
        """The label's probability."""
        return self.probabilities[self.label]


class Recognizer:
    """Finds faces and names their expressions.

    Args:
        weights: a name of weights that ship, or a .keras file of this program.
        detector: "auto", "yunet", or "none" where photos are cropped faces already.
        detector_model: a file in place of the detector's model.
        margin: how much more around a face than in the training images is shown to the model, as a share.
        align: turn faces upright by their landmarks.
        mirror: average over the face and its mirror image.

    Raises:
        UserError: weights or detector cannot be used.

    Example:
        >>> from ferkit import Recognizer
        >>> recognizer = Recognizer("deep_emotion-fer2013")
        >>> recognizer.predict("photo.jpg")[0].label
        'happy'
    """

    def __init__(
        self,
        weights="deep_emotion-fer2013",
        detector="auto",
        detector_model=None,
        margin=0.0,
        align=True,
        mirror=False,
    ):
        from ferkit.tensorflow_runtime import import_tensorflow

        import_tensorflow()
        from ferkit.evaluation.inference import BatchedLogits
        from ferkit.models.interface import exportable
        from ferkit.models.saved_model import load_model
        from ferkit.models.shipped_weights import model_file
        from ferkit.recognition import make_detector

        self.file = model_file(str(weights))
        model = load_model(self.file)
        # Plain operations: what XLA compiles would be compiled again for every number of faces.
        self.model = exportable(model)
        self.class_names = tuple(self.model.class_names)
        self.detector = make_detector(detector, detector_model)
        self.margin, self.align, self.mirror = margin, align, mirror
        size, _, channels = self.model.input_shape[1:]
        self._size, self._channels = size, channels
        self._logits = BatchedLogits(self.model, (size, size, channels))

    def predict(self, photo) -> list[Expression]:
        """The faces of one photo, the surest detection first; an empty list where there are none.

        Args:
            photo: a file, its bytes, or an array; see ``photos.read_photo``.

        Raises:
            photos.PhotoError: it cannot be read.
        """
        return self.predict_many([photo])[0]

    def predict_many(self, photos: Iterable) -> list[list[Expression]]:
        """The same for several photos, whose faces go through the model together."""
        photos = [read_photo(photo) for photo in photos]
        faces = [self.detector(photo) for photo in photos]
        crops = [
            self.crop(photo, face)
            for photo, found in zip(photos, faces, strict=True)
            for face in found
        ]
        probabilities = iter(self.probabilities(crops))
        return [[self._expression(face, next(probabilities)) for face in found] for found in faces]

    def crop(self, photo: np.ndarray, face) -> np.ndarray:
        """A face as the model sees it: uint8 ``(size, size, channels)``."""
        import cv2

        from ferkit.recognition import cut_face

        crop = cut_face(photo, face, self._size, self.margin, self.align)
        return cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[:, :, None] if self._channels == 1 else crop

    def probabilities(self, crops) -> np.ndarray:
        """Probabilities ``(n, classes)`` of crops as ``crop`` makes them."""
        from ferkit.evaluation.metrics import averaged

        if not len(crops):
            return np.zeros((0, len(self.class_names)))
        crops = np.stack(crops)
        if crops.dtype != np.uint8 or crops.shape[1:] != (self._size, self._size, self._channels):
            raise UserError(
                f"crops: expected uint8 {(self._size, self._size, self._channels)}, received {crops.dtype} {crops.shape}"
            )
        views = (False, True) if self.mirror else (False,)
        return averaged(np.stack([self._logits(crops, mirror=view) for view in views]))

    def _expression(self, face, probabilities):
        named = {name: float(p) for name, p in zip(self.class_names, probabilities, strict=True)}
        return Expression(max(named, key=named.get), named, face.box, face.score, face.landmarks)
