"""The recognizer: photos in, faces with probabilities out.

This is the only place where a face in a photo becomes the pixels that a model receives.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ferkit.errors import UserError
from ferkit.models.shipped_weights import model_file
from ferkit.recognition.alignment import cut_face
from ferkit.recognition.detectors import DetectorName, Face, make_detector
from ferkit.recognition.photos import Photo, read_photo
from ferkit.recognition.runtimes import load_runtime

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
    """

    label: str
    probabilities: dict[str, float]
    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray | None = None

    @property
    def confidence(self) -> float:
        """Probability of the label."""
        return self.probabilities[self.label]


class Recognizer:
    """Finds faces and predicts their expressions.

    Args:
        weights: a name of shipped weights, or a .keras, .tflite or .onnx file of this program.
        detector: "auto", "yunet", "none" if photos are cropped faces already, or the name of a
            plug-in; see ``detectors.register_detector``.
        detector_model: a file that replaces the detector's model.
        margin: extra margin around a face, compared with the training images, as a fraction.
        align: rotate faces upright by their landmarks.
        mirror: average over each face and its mirror image.
        runtime: what runs the model: "litert", "onnx", "keras", or "auto", which is LiteRT for
            shipped weights, and otherwise the runtime of the file's format.

    Attributes:
        file: the model file.
        runtime: the loaded model, a ``runtimes.Runtime``.
        class_names: names of the classes, in order.
        input_shape: height, width and channels of a crop.

    Raises:
        UserError: the weights or the detector cannot be used.

    Example:
        >>> from ferkit import Recognizer
        >>> recognizer = Recognizer("deep_emotion-fer2013")
        >>> recognizer.predict("photo.jpg")[0].label
        'happy'
    """

    def __init__(
        self,
        weights: str | Path = "deep_emotion-fer2013",
        detector: DetectorName | str = "auto",
        detector_model: str | Path | None = None,
        margin: float = 0.0,
        align: bool = True,
        mirror: bool = False,
        runtime: str = "auto",
    ) -> None:
        self.file = model_file(str(weights))
        self.runtime = load_runtime(self.file, runtime)
        self.class_names, self.input_shape = self.runtime.class_names, self.runtime.input_shape
        self.detector = make_detector(detector, detector_model)
        self.margin, self.align, self.mirror = margin, align, mirror

    @property
    def model(self) -> Any:
        """The Keras model.

        Raises:
            UserError: the model runs in another runtime.
        """
        if not hasattr(self.runtime, "model"):
            problem = f"runs in {self.runtime.name}, without a Keras model"
            raise UserError(self.file, problem, "select Keras: --runtime keras")
        return self.runtime.model

    def predict(self, photo: Photo) -> list[Expression]:
        """The faces of one photo, highest detection score first; an empty list if there are none.

        Args:
            photo: a file, its bytes, or an array; see ``photos.read_photo``.

        Raises:
            photos.PhotoError: the photo cannot be read.
        """
        return self.predict_many([photo])[0]

    def predict_many(self, photos: Iterable[Photo]) -> list[list[Expression]]:
        """``predict`` for several photos, whose faces go through the model together."""
        images = [read_photo(photo) for photo in photos]
        faces = [self.detector(image) for image in images]
        crops = [
            self.crop(image, face)
            for image, found in zip(images, faces, strict=True)
            for face in found
        ]
        probabilities = iter(self.probabilities(crops))
        return [[self._expression(face, next(probabilities)) for face in found] for found in faces]

    def crop(self, photo: np.ndarray, face: Face) -> np.ndarray:
        """The model's input for a face: uint8 ``(size, size, channels)``."""
        size, _, channels = self.input_shape
        crop = cut_face(photo, face, size, self.margin, self.align)
        return cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[:, :, None] if channels == 1 else crop

    def probabilities(self, crops: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Probabilities ``(n, classes)`` of crops as ``crop`` returns them."""
        if not len(crops):
            return np.zeros((0, len(self.class_names)))
        batch, expected = np.stack(list(crops)), self.input_shape
        if batch.dtype != np.uint8 or batch.shape[1:] != expected:
            received = f"received {batch.dtype} {batch.shape}"
            raise UserError(
                "crops", f"expected uint8 {expected}, {received}", "use Recognizer.crop"
            )
        return self.runtime.probabilities(batch, self.mirror)

    def _expression(self, face: Face, probabilities: np.ndarray) -> Expression:
        named = {name: float(p) for name, p in zip(self.class_names, probabilities, strict=True)}
        label = self.class_names[int(np.argmax(probabilities))]
        return Expression(label, named, face.box, face.score, face.landmarks)
