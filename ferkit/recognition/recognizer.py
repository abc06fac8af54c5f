"""The recognizer: photos in, faces with probabilities out.

This is the only place where a face in a photo becomes the pixels that a model receives.
"""

import contextlib
import functools
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import cv2
import numpy as np

from ferkit.errors import UserError
from ferkit.models.shipped_weights import model_file
from ferkit.process import imported
from ferkit.recognition.alignment import cut_face
from ferkit.recognition.detectors import Detector, DetectorName, Face, make_detector
from ferkit.recognition.photos import Photo, PhotoError, kept_photo, photo_name, read_photo
from ferkit.recognition.pipeline import in_order
from ferkit.recognition.released_thresholds import threshold_for
from ferkit.recognition.results import UNSURE, Expression, Faces
from ferkit.recognition.runtimes import load_runtime

if TYPE_CHECKING:
    from ferkit.prediction.stream import StreamFrame

MIN_MARGIN, MAX_MARGIN = -0.9, 10.0

__all__ = ["UNSURE", "Expression", "Recognizer"]


class Recognizer:
    """Finds faces and predicts their expressions. Several threads may use one recognizer.

    Args:
        weights: a name of shipped weights; a .keras, .tflite or .onnx file of this program; the
            folder of a preset; or "hf://OWNER/NAME" or "kaggle://..." (extra ``hub``).
        detector: "auto", "yunet", "none" if photos are cropped faces already, or the name of a
            plug-in; see ``detectors.register_detector``.
        detector_model: a file that replaces the detector's model.
        margin: extra margin around a face, compared with the training images, as a fraction; from
            -0.9 to 10.
        align: rotate faces upright by their landmarks.
        mirror: average over each face and its mirror image.
        runtime: what runs the model: "litert", "onnx", "keras", or "auto", which is LiteRT for
            shipped weights, and otherwise the runtime of the file's format.
        detector_size: longest side at which YuNet searches photos, in pixels. None: 640, and up to
            2560 where a large photo has hints of small faces.
        max_error: fraction of wrong labels, between 0 and 1: less confident faces are unsure, by
            the thresholds that were measured at the release of the weights. None: not asked for.

    Attributes:
        file: the model file.
        runtime: the loaded model, a ``runtimes.Runtime``.
        class_names: names of the classes, in order.
        input_shape: height, width and channels of a crop.

    Raises:
        UserError: the weights or the detector cannot be used, an option is out of range, or the
            weights have no threshold for `max_error`. In use: this process was forked after the
            model was loaded in Keras or ONNX.

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
        detector_size: int | None = None,
        max_error: float | None = None,
    ) -> None:
        if not MIN_MARGIN <= margin <= MAX_MARGIN:  # nor nan
            advice = f"give a number from {MIN_MARGIN:g} to {MAX_MARGIN:g}"
            raise UserError(f"--margin {margin:g}", "out of range", advice)
        self.file = model_file(str(weights))
        self._threshold = None if max_error is None else threshold_for(self.file, max_error, mirror)
        self.runtime = load_runtime(self.file, runtime)
        self.class_names, self.input_shape = self.runtime.class_names, self.runtime.input_shape
        self._detector, self.detector_size = (detector, detector_model), detector_size
        # Those of one photo at a time, and those of threads that read several: one thread each.
        self._idle_detectors: dict[int | None, list[Detector]] = {
            None: [self._make_detector()],
            1: [],
        }
        self.margin, self.align, self.mirror = margin, align, mirror

    def _make_detector(self, threads: int | None = None) -> Detector:
        return make_detector(*self._detector, threads, self.detector_size)

    @functools.cached_property
    def detector(self) -> Detector:
        """A detector for the caller, who may use it in one thread at a time."""
        return self._make_detector()

    @property
    def unsure_below(self) -> float:
        """The confidence below which a label is unsure."""
        return UNSURE if self._threshold is None else self._threshold

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

    def predict(self, photo: Photo, *, bgr: bool = False) -> Faces:
        """The faces of one photo, highest detection score first; an empty list if there are none.

        Args:
            photo: a path, bytes, a binary file object, a Pillow image, or an array of RGB; see
                ``photos.read_photo``.
            bgr: an array is BGR, as OpenCV makes it.

        Raises:
            PhotoError: the photo cannot be read.

        Example:
            >>> [face.label for face in recognizer.predict("photo.jpg")]
            ['happy']
        """
        return self._faces(read_photo(photo, bgr=bgr), photo_name(photo))

    @overload
    def predict_many(
        self, photos: Iterable[Photo], *, bgr: bool = ..., on_error: Literal["raise"] = ...
    ) -> Generator[Faces, None, None]: ...
    @overload
    def predict_many(
        self, photos: Iterable[Photo], *, bgr: bool = ..., on_error: Literal["return"]
    ) -> Generator[Faces | PhotoError, None, None]: ...
    def predict_many(
        self, photos: Iterable[Photo], *, bgr: bool = False, on_error: str = "raise"
    ) -> Generator[Any, None, None]:
        """``predict`` for any number of photos, in their order, one result at a time.

        Photos are read and predicted in a few threads while the caller handles results. A few
        photos are read ahead, and no more are in memory, so `photos` may be a generator without
        end. The threads end with the iteration; ``close()`` of the result ends it early.

        Args:
            photos: as for ``predict``. Each may be closed, changed or reused when the next one is
                asked for.
            bgr: arrays are BGR.
            on_error: for a photo that cannot be read, "raise" raises its PhotoError at its
                position, which ends the iteration. "return" puts the PhotoError in the place of the
                faces and goes on.

        Raises:
            UserError: `photos` is one photo, or `on_error` is unknown; at the call.
            PhotoError: see `on_error`; during the iteration.

        Example:
            >>> for faces in recognizer.predict_many(Path("holiday").glob("*.jpg")):
            ...     print(faces.source, [face.label for face in faces])
        """
        if on_error not in ("raise", "return"):
            raise UserError(f"on_error={on_error!r}", "unknown", "choose from raise, return")
        _check_several(photos)
        results = self.predict_images(map(kept_photo, photos), bgr)
        return _results(results, is_raised=on_error == "raise")

    def predict_images(
        self, photos: Iterable[Photo | PhotoError], bgr: bool = False
    ) -> Generator[tuple[np.ndarray, Faces] | PhotoError, None, None]:
        """Each photo as uint8 RGB ``(height, width, 3)`` with its faces, or why it is unreadable.

        Like ``predict_many``, but arrays are not copied: they must not change.
        """

        def predicted(photo: Photo | PhotoError) -> tuple[np.ndarray, Faces] | PhotoError:
            if isinstance(photo, PhotoError):
                return photo
            try:
                image = read_photo(photo, bgr=bgr)
            except PhotoError as error:
                return error
            return image, self._faces(image, photo_name(photo), detector_threads=1)

        return in_order(predicted, photos)

    def stream(
        self, source: str | Path | int, stride: int = 1, smoothing: float | None = None
    ) -> "Generator[StreamFrame, None, None]":
        """Frames of a video or camera with tracked faces, while they are read.

        Args:
            source: a video file, the number of a camera, or a URL (RTSP, RTMP, HTTP, UDP).
            stride: every stride-th frame is predicted; the others are skipped.
            smoothing: time constant of the probabilities in seconds; 0: none; None: 0.4.

        Returns:
            A generator; its ``close()`` releases the camera or connection.

        Raises:
            UserError: the source cannot be opened; at the call. A live URL has ended or its
                connection broke; during the iteration. Texts never contain the user name, password
                or query of a URL.

        Example:
            >>> for frame in recognizer.stream("talk.mp4", stride=2):
            ...     for face in frame.faces:
            ...         print(f"{frame.time:.1f} s: face {face.track} {face.label}")
        """
        frames: Generator[StreamFrame, None, None] = imported("ferkit.prediction.stream:stream")(
            self, source, stride, smoothing
        )
        return frames

    def _faces(self, image: np.ndarray, source: str, detector_threads: int | None = None) -> Faces:
        """The faces of an RGB image. Detectors are not thread-safe, so each is lent to one call."""
        idle = self._idle_detectors[detector_threads]
        try:
            detector = idle.pop()
        except IndexError:
            detector = self._make_detector(detector_threads)
        try:
            found = detector(image)
        finally:
            idle.append(detector)
        rows = self.probabilities([self.crop(image, face) for face in found])
        expressions = map(self._expression, found, rows)
        return Faces(expressions, source, self.class_names)

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
        rows = self.runtime.probabilities(batch)
        return (rows + self.runtime.probabilities(batch[:, :, ::-1])) / 2 if self.mirror else rows

    def _expression(self, face: Face, probabilities: np.ndarray) -> Expression:
        named = {name: float(p) for name, p in zip(self.class_names, probabilities, strict=True)}
        label = self.class_names[int(np.argmax(probabilities))]
        place = (face.box, face.score, face.landmarks)
        return Expression(label, named, *place, threshold=self._threshold)


def _check_several(photos: object) -> None:
    """Raise UserError for one photo in the place of several."""
    is_one_array = isinstance(photos, np.ndarray) and (
        photos.ndim < 3 or (photos.ndim == 3 and photos.shape[2] in (1, 3, 4))
    )
    is_one = isinstance(photos, str | bytes | bytearray | memoryview) or hasattr(photos, "read")
    if is_one or is_one_array or not isinstance(photos, Iterable):
        problem = f"expected several photos, received one {type(photos).__name__}"
        raise UserError("predict_many", problem, "give a list of photos, or call predict")


def _results(
    predictions: Generator[tuple[np.ndarray, Faces] | PhotoError, None, None], is_raised: bool
) -> Generator[Faces | PhotoError, None, None]:
    """The faces alone."""
    with contextlib.closing(predictions):
        for prediction in predictions:
            if isinstance(prediction, PhotoError):
                if is_raised:
                    raise prediction
                yield prediction
            else:
                yield prediction[1]
