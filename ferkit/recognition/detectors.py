"""Detectors: a photo in, faces with boxes, scores and, where the detector has them, five landmarks out."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from ferkit.errors import UserError

DetectorName = Literal["auto", "yunet", "none"]
DETECTORS: tuple[DetectorName, ...] = get_args(DetectorName)
YUNET = Path(__file__).with_name("face_detection_yunet_2023mar.onnx")
YUNET_HASH = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
LONGEST_SIDE = 640  # photos are made smaller for the detector, never larger
SMALL_SIDE = (
    320  # and once more where nothing was found: YuNet overlooks faces that fill a large picture
)
LEAST_SIDE = (
    10  # pixels; YuNet was made for faces from 10 on, and OpenCV 4.10 returns no numbers for less
)
LEAST_SCORE = 0.7
OVERLAP = 0.3


@dataclasses.dataclass(frozen=True)
class Face:
    """A face found.

    Attributes:
        box: left, top, right, bottom in pixels of the photo, counted from its corner; may reach beyond it.
        score: the detector's, in [0, 1].
        landmarks: float64 ``(5, 2)``: eyes (the one on the picture's left first), nose, mouth corners; None without.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray | None = None


class WholePhoto:
    """No detector: every photo is one face, as crops are."""

    name = "none"

    def __call__(self, photo: np.ndarray) -> list[Face]:
        height, width = photo.shape[:2]
        side = max(height, width)
        left, top = (width - side) / 2, (height - side) / 2
        return [Face((left, top, left + side, top + side), 1.0)]


def _errors_only(cv2):
    """OpenCV 5 warns of its own default; 4 says this elsewhere."""
    logging = getattr(cv2.utils, "logging", None)
    if logging:
        logging.setLogLevel(logging.LOG_LEVEL_ERROR)
    else:
        cv2.setLogLevel(2)  # errors


class YuNet:
    """OpenCV's YuNet (Wu, Peng, Yu: YuNet, Machine Intelligence Research 2023); five landmarks.

    Its model (MIT licence, 232,589 bytes) comes with this package.

    Args:
        model: another file in its place.
        least_score: faces below are left out.

    Raises:
        UserError: the model is missing, damaged, or no YuNet.
    """

    name = "yunet"

    def __init__(self, model: str | Path | None = None, least_score: float = LEAST_SCORE):
        import cv2

        path = Path(model or YUNET)
        if not path.is_file():
            raise UserError(
                f"{path}: no such file; give YuNet's .onnx with --detector-model, or drop that to use what ships."
            )
        if model is None and hashlib.sha256(path.read_bytes()).hexdigest() != YUNET_HASH:
            raise UserError(
                f"{path}: damaged, its sha256 is another; install again, or give the file with --detector-model."
            )
        _errors_only(cv2)
        try:
            self._net = cv2.FaceDetectorYN.create(
                str(path), "", (SMALL_SIDE, SMALL_SIDE), least_score, OVERLAP, 5000
            )
            self._detect(np.zeros((64, 64, 3), np.uint8))
        except cv2.error as error:
            reason = (str(error.err or error).strip().splitlines() or ["unknown"])[0][:120]
            raise UserError(
                f"{path}: not a YuNet model that OpenCV can read ({reason}); fetch it again."
            ) from error

    def __call__(self, photo: np.ndarray) -> list[Face]:
        """The faces of an RGB photo, the surest first."""
        for side in (LONGEST_SIDE, SMALL_SIDE):
            faces = self._at(photo, side)
            if faces or max(photo.shape[:2]) <= SMALL_SIDE:
                return faces
        return []

    def _at(self, photo, longest):
        import cv2

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

    def _detect(self, image):
        if min(image.shape[:2]) < LEAST_SIDE:
            return np.zeros((0, 15), np.float32)
        self._net.setInputSize(image.shape[1::-1])
        _, found = self._net.detect(image)
        return np.zeros((0, 15), np.float32) if found is None else found


def make_detector(name: str = "auto", model: str | Path | None = None):
    """The detector of that name.

    Args:
        name: of ``DETECTORS``; "auto" is YuNet.
        model: a file in place of the model that ships.

    Raises:
        UserError: unknown name, or its model cannot be used.
    """
    if name not in DETECTORS:
        raise UserError(f"--detector {name}: unknown; choose from {', '.join(DETECTORS)}.")
    if name == "none":
        return WholePhoto()
    return YuNet(model)
