"""The face detector YuNet, and how OpenCV runs it; ``yunet_litert`` is the faster way."""

import hashlib
from pathlib import Path

import cv2
import numpy as np

from ferkit.errors import UserError
from ferkit.recognition.faces import Face
from ferkit.recognition.yunet_litert import OVERLAP, TOP, YuNetInLiteRT

MODEL = Path(__file__).with_name("face_detection_yunet_2023mar.onnx")
LITERT_MODEL = MODEL.with_suffix(".tflite")  # made from it by benchmarks/detector
HASHES = {
    MODEL: "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    LITERT_MODEL: "23c68a0d64965a23a26b6980d3af93ecbe8d2ff5bfba77a4a4ebf8eb5615f578",
}
LONGEST_SIDE = 640  # larger photos are reduced for the detector; none are enlarged
SMALL_SIDE = 320  # second try if no face is found: YuNet misses faces that fill a large picture
MIN_SIDE = 10  # pixels; YuNet needs faces of 10, and OpenCV 4.10 returns NaN for smaller photos
MIN_SCORE = 0.7


class YuNet:
    """YuNet with five landmarks.

    Its model (MIT license) is part of this package, as a file for LiteRT and as OpenCV's file.
    LiteRT runs it, in less than half the time of OpenCV. OpenCV runs it where LiteRT is not
    installed, and runs a file that replaces it. Boxes, scores and landmarks are the same.

    Args:
        model: an .onnx file that replaces it.
        min_score: faces with a lower score are ignored.
        threads: number of threads in LiteRT; None: two, if there are two cores.

    Raises:
        UserError: the model is missing, damaged, or not a YuNet model.

    Reference: Wu, Peng, Yu: YuNet, Machine Intelligence Research 2023.
    """

    name = "yunet"

    def __init__(
        self,
        model: str | Path | None = None,
        min_score: float = MIN_SCORE,
        threads: int | None = None,
    ) -> None:
        self._find = (
            YuNetInOpenCV(Path(model), min_score) if model else _included(min_score, threads)
        )

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
        if min(small.shape[:2]) < MIN_SIDE:
            return []
        back = np.array([width / small.shape[1], height / small.shape[0]])
        faces = []
        for row in self._find(small):
            (left, top), (right, bottom) = row[:2] * back, (row[:2] + row[2:4]) * back
            marks = row[4:14].reshape(5, 2).astype(np.float64) * back
            faces.append(
                Face((float(left), float(top), float(right), float(bottom)), float(row[-1]), marks)
            )
        return faces


class YuNetInOpenCV:
    """OpenCV's own class for YuNet.

    Args:
        path: an .onnx file.
        min_score: faces with a lower score are ignored.

    Raises:
        UserError: the file is missing, or OpenCV cannot read it as YuNet.
    """

    def __init__(self, path: Path, min_score: float) -> None:
        if not path.is_file():
            advice = (
                "give YuNet's .onnx file with --detector-model, or omit it to use the included one"
            )
            raise UserError(path, "no such file", advice)
        _log_errors_only()
        try:
            self._net = cv2.FaceDetectorYN.create(
                str(path), "", (SMALL_SIDE, SMALL_SIDE), min_score, OVERLAP, TOP
            )
            self(np.zeros((64, 64, 3), np.uint8))
        except cv2.error as error:
            reason = (str(error.err or error).strip().splitlines() or ["unknown"])[0][:120]
            problem = f"not a YuNet model that OpenCV can read ({reason})"
            raise UserError(path, problem, "download it again") from error

    def __call__(self, photo: np.ndarray) -> np.ndarray:
        """The faces of a uint8 RGB photo; see ``YuNetInLiteRT``."""
        self._net.setInputSize((photo.shape[1], photo.shape[0]))
        _, found = self._net.detect(np.ascontiguousarray(photo[:, :, ::-1]))
        if found is None:
            return np.zeros((0, 15), np.float32)
        rows: np.ndarray = found[np.argsort(-found[:, -1], kind="stable")]
        return rows


def _included(min_score: float, threads: int | None) -> "YuNetInLiteRT | YuNetInOpenCV":
    """The included model in LiteRT, or in OpenCV where LiteRT cannot be imported."""
    try:
        return YuNetInLiteRT(_checked_content(LITERT_MODEL), min_score, threads)
    except ImportError:
        _checked_content(MODEL)
        return YuNetInOpenCV(MODEL, min_score)


def _checked_content(path: Path) -> bytes:
    """The bytes of an included file.

    Raises:
        UserError: the file is missing or damaged.
    """
    advice = "install again, or give YuNet's .onnx file with --detector-model"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(path, "cannot be read", advice) from error
    if hashlib.sha256(content).hexdigest() != HASHES[path]:
        raise UserError(path, "damaged: its sha256 is not the expected one", advice)
    return content


def _log_errors_only() -> None:
    """OpenCV 5 warns about its own default; OpenCV 4 sets the log level elsewhere."""
    logging = getattr(cv2.utils, "logging", None)
    if logging:
        logging.setLogLevel(logging.LOG_LEVEL_ERROR)
    else:
        getattr(cv2, "setLogLevel")(2)  # noqa: B009 - OpenCV 4 only; 2 is errors
