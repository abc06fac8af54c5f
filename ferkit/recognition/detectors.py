"""Face detectors: a photo in; faces with boxes, scores and, if available, five landmarks out."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Literal, Protocol, get_args

import cv2
import numpy as np

from ferkit.errors import UserError

DetectorName = Literal["auto", "yunet", "none"]
DETECTORS: tuple[DetectorName, ...] = get_args(DetectorName)
YUNET = Path(__file__).with_name("face_detection_yunet_2023mar.onnx")
YUNET_HASH = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
LONGEST_SIDE = 640  # larger photos are reduced for the detector; none are enlarged
SMALL_SIDE = 320  # second try if no face is found: YuNet misses faces that fill a large picture
MIN_SIDE = 10  # pixels; YuNet needs faces of 10, and OpenCV 4.10 returns NaN for smaller photos
MIN_SCORE = 0.7
OVERLAP = 0.3


@dataclasses.dataclass(frozen=True)
class Face:
    """A detected face.

    Attributes:
        box: left, top, right, bottom in pixels from the photo's corner; may extend beyond it.
        score: score of the detector, in [0, 1].
        landmarks: float64 ``(5, 2)``: eyes (the left one in the picture first), nose, mouth
            corners; None if the detector has none.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray | None = None


class Detector(Protocol):
    """Finds faces in a photo."""

    name: str

    def __call__(self, photo: np.ndarray) -> list[Face]:
        """The faces of a uint8 RGB photo ``(height, width, 3)``, highest score first."""
        ...


class WholePhoto:
    """No detector: every photo is one cropped face."""

    name = "none"

    def __call__(self, photo: np.ndarray) -> list[Face]:
        """One face that covers the photo."""
        height, width = photo.shape[:2]
        side = max(height, width)
        left, top = (width - side) / 2, (height - side) / 2
        return [Face((left, top, left + side, top + side), 1.0)]


def _log_errors_only() -> None:
    """OpenCV 5 warns about its own default; OpenCV 4 sets the log level elsewhere."""
    logging = getattr(cv2.utils, "logging", None)
    if logging:
        logging.setLogLevel(logging.LOG_LEVEL_ERROR)
    else:
        getattr(cv2, "setLogLevel")(2)  # noqa: B009 - OpenCV 4 only; 2 is errors


class YuNet:
    """OpenCV's YuNet with five landmarks.

    Its model (MIT license, 232,589 bytes) is part of this package.

    Args:
        model: a file that replaces it.
        min_score: faces with a lower score are ignored.

    Raises:
        UserError: the model is missing, damaged, or not a YuNet model.

    Reference: Wu, Peng, Yu: YuNet, Machine Intelligence Research 2023.
    """

    name = "yunet"

    def __init__(self, model: str | Path | None = None, min_score: float = MIN_SCORE) -> None:
        path = Path(model or YUNET)
        if not path.is_file():
            advice = (
                "give YuNet's .onnx file with --detector-model, or omit it to use the included one"
            )
            raise UserError(path, "no such file", advice)
        if model is None and hashlib.sha256(path.read_bytes()).hexdigest() != YUNET_HASH:
            advice = "install again, or give the file with --detector-model"
            raise UserError(path, "damaged: its sha256 is not the expected one", advice)
        _log_errors_only()
        try:
            self._net = cv2.FaceDetectorYN.create(
                str(path), "", (SMALL_SIDE, SMALL_SIDE), min_score, OVERLAP, 5000
            )
            self._detect(np.zeros((64, 64, 3), np.uint8))
        except cv2.error as error:
            reason = (str(error.err or error).strip().splitlines() or ["unknown"])[0][:120]
            problem = f"not a YuNet model that OpenCV can read ({reason})"
            raise UserError(path, problem, "download it again") from error

    def __call__(self, photo: np.ndarray) -> list[Face]:
        """The faces of an RGB photo, highest score first."""
        for side in (LONGEST_SIDE, SMALL_SIDE):
            faces = self._detect_at(photo, side)
            if faces or max(photo.shape[:2]) <= SMALL_SIDE:
                return faces
        return []

    def _detect_at(self, photo: np.ndarray, longest: int) -> list[Face]:
        height, width = photo.shape[:2]
        scale = min(1.0, longest / max(height, width))
        small = photo
        if scale < 1.0:
            size = max(1, round(width * scale)), max(1, round(height * scale))
            small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
        found = self._detect(np.ascontiguousarray(small[:, :, ::-1]))
        back = np.array([width / small.shape[1], height / small.shape[0]])
        faces = []
        for row in found[np.argsort(-found[:, -1])]:
            (left, top), (right, bottom) = row[:2] * back, (row[:2] + row[2:4]) * back
            marks = row[4:14].reshape(5, 2).astype(np.float64) * back
            faces.append(
                Face((float(left), float(top), float(right), float(bottom)), float(row[-1]), marks)
            )
        return faces

    def _detect(self, image: np.ndarray) -> np.ndarray:
        if min(image.shape[:2]) < MIN_SIDE:
            return np.zeros((0, 15), np.float32)
        self._net.setInputSize((image.shape[1], image.shape[0]))
        _, found = self._net.detect(image)
        return np.zeros((0, 15), np.float32) if found is None else found


def make_detector(name: str = "auto", model: str | Path | None = None) -> Detector:
    """The detector of that name.

    Args:
        name: one of ``DETECTORS``; "auto" is YuNet.
        model: a file that replaces the included model.

    Raises:
        UserError: the name is unknown, or the model cannot be used.
    """
    if name not in DETECTORS:
        raise UserError(f"--detector {name}", "unknown", f"choose from {', '.join(DETECTORS)}")
    if name == "none":
        return WholePhoto()
    return YuNet(model)
