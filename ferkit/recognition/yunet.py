"""The face detector YuNet, and how OpenCV runs it; ``yunet_litert`` is the faster way."""

import hashlib
from pathlib import Path

import cv2
import numpy as np

from ferkit.errors import UserError
from ferkit.recognition.faces import Face
from ferkit.recognition.turned_faces import upright
from ferkit.recognition.views import complete_rows, distinct, longest_side, tiles, view
from ferkit.recognition.yunet_litert import OVERLAP, TOP, YuNetInLiteRT

MODEL = Path(__file__).with_name("face_detection_yunet_2023mar.onnx")
LITERT_MODEL = MODEL.with_suffix(".tflite")  # made from it by benchmarks/detector
HASHES = {
    MODEL: "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    LITERT_MODEL: "23c68a0d64965a23a26b6980d3af93ecbe8d2ff5bfba77a4a4ebf8eb5615f578",
}
LONGEST_SIDE = 640  # larger photos are reduced for the first view; none are enlarged
SMALL_SIDE = 320  # second try if no face is found: YuNet misses faces that fill a large picture
MIN_SIDE = 10  # pixels; YuNet needs faces of 10, and OpenCV 4.10 returns NaN for smaller photos
MIN_SCORE = 0.7
# A larger view follows where the last one shows faces, or hints of them, that are this small.
SMALL_FACE = 20  # pixels of the view; YuNet finds nearly all faces from this width on
HINT_SCORE = 0.3
LARGEST_VIEW = 2560
MIN_VIEW, MAX_VIEW = 64, 10_000  # of a size that the user gives
MUCH_LARGER = 1.5  # times the last view: the photo has details that the view lacks
LARGER_MIN_SCORE = 0.75  # in larger views, which show more texture that resembles faces
VERY_LARGE = 4  # times the first view: small faces are not even hints, so one more view is tried


class YuNet:
    """YuNet with five landmarks.

    Its model (MIT license) is part of this package, as a file for LiteRT and as OpenCV's file.
    LiteRT runs it, in less than half the time of OpenCV. OpenCV runs it where LiteRT is not
    installed, and runs a file that replaces it. Boxes, scores and landmarks are the same.

    A photo is searched at 640 pixels. Where it is larger and that view shows hints of small faces,
    it is searched again at 1280, then at 2560 pixels. A face with a score that upright faces seldom
    have is also tried sideways and upside down.

    Args:
        model: an .onnx file that replaces it.
        min_score: faces with a lower score are ignored.
        threads: number of threads in LiteRT; None: two, if there are two cores.
        size: longest side of the photo in pixels at which faces are searched, whether there are
            hints or not; None: as above.

    Raises:
        UserError: the model is missing, damaged, or not a YuNet model; or `size` is out of range.

    Reference: Wu, Peng, Yu: YuNet, Machine Intelligence Research 2023.
    """

    name = "yunet"

    def __init__(
        self,
        model: str | Path | None = None,
        min_score: float = MIN_SCORE,
        threads: int | None = None,
        size: int | None = None,
    ) -> None:
        check_size(size)
        self._min_score, self._size = min_score, size
        hint_score = min(min_score, HINT_SCORE)
        self._find = (
            YuNetInOpenCV(Path(model), hint_score) if model else _included(hint_score, threads)
        )

    def __call__(self, photo: np.ndarray) -> list[Face]:
        """The faces of an RGB photo, highest score first."""
        faces = [upright(photo, _face(row), self._find) for row in self._rows(photo)]
        return sorted(faces, key=lambda face: -face.score)

    def _rows(self, photo: np.ndarray) -> np.ndarray:
        """The faces of all views, as ``views`` describes them, in pixels of the photo."""
        side = min(self._size or LONGEST_SIDE, LONGEST_SIDE)
        found, has_hints = self._seen(photo, side)
        if not len(found) and min(side, longest_side(photo)) > SMALL_SIDE:
            found, _ = self._seen(photo, SMALL_SIDE)
        has_hints |= not len(found) and longest_side(photo) >= VERY_LARGE * side
        while self._looks_again(photo, side, has_hints):
            side = min(2 * side, self._size or LARGEST_VIEW)
            more, has_hints = self._seen(photo, side, only_small=True)
            found = distinct(np.concatenate([found, more]))
        return found

    def _looks_again(self, photo: np.ndarray, side: int, has_hints: bool) -> bool:
        """Whether a larger view follows the one of `side` pixels."""
        if self._size:
            return side < min(self._size, longest_side(photo))
        is_larger = longest_side(photo) >= MUCH_LARGER * side
        return has_hints and is_larger and side < LARGEST_VIEW

    def _seen(
        self, photo: np.ndarray, side: int, only_small: bool = False
    ) -> tuple[np.ndarray, bool]:
        """The faces of one view in pixels of the photo, and whether there are hints of small ones.

        Args:
            photo: uint8 RGB.
            side: ``longest_side`` of the view.
            only_small: faces that the view of half the size shows well are omitted.
        """
        seen = view(photo, side)
        height, width = seen.shape[:2]
        if min(height, width) < MIN_SIDE:
            return np.zeros((0, 15)), False
        places = tiles(height, width)
        parts = [complete_rows(self._find(seen[tile]), tile, (height, width)) for tile in places]
        rows = np.concatenate(parts)
        has_hints = bool((rows[:, 2] < SMALL_FACE).any())
        rows = rows[rows[:, -1] >= self._min_score]
        if only_small:
            is_sure = rows[:, -1] >= max(self._min_score, LARGER_MIN_SCORE)
            rows = rows[is_sure & (rows[:, 2] < 3 * SMALL_FACE)]
        if len(places) > 1:
            rows = distinct(rows)
        across, down = photo.shape[1] / width, photo.shape[0] / height
        return rows * [*[across, down] * 7, 1.0], has_hints


def check_size(size: int | None) -> None:
    """Raise UserError if a size for the detector is out of range."""
    if size is not None and not MIN_VIEW <= size <= MAX_VIEW:
        advice = f"give the longest side in pixels, {MIN_VIEW} to {MAX_VIEW}"
        raise UserError(f"--detector-size {size}", "out of range", advice)


def _face(row: np.ndarray) -> Face:
    left, top, width, height = row[:4].tolist()
    return Face((left, top, left + width, top + height), float(row[-1]), row[4:14].reshape(5, 2))


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
