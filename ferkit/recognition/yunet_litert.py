"""YuNet in LiteRT. Its file is made by benchmarks/detector/make_yunet_litert.py.

Padding, decoding and suppression follow OpenCV's FaceDetectorYN, so that the results are the same.
"""

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from ferkit.process import available_cpu_count, imported, native_stderr_hidden

STEP = 32  # height and width of the network's input are multiples; the rest is black
OVERLAP = 0.3  # of two faces with a larger intersection over union, the lower score is dropped
TOP = 5000  # faces with the highest scores that are compared
MAX_THREADS = 2  # measured on two cores
SIZES = 3  # interpreters that are kept, each for one size of photo (27 MB for 640 pixels)

_quiet_lock = threading.Lock()
_has_reported = False


class YuNetInLiteRT:
    """YuNet in LiteRT, for one thread at a time.

    A new size of photo costs 3 to 10 ms, because LiteRT packs the weights again; therefore the
    interpreters of the last ``SIZES`` sizes are kept.

    Args:
        content: the .tflite file.
        min_score: faces with a lower score are ignored.
        threads: number of threads; None: two, if there are two cores.

    Raises:
        ImportError: LiteRT is not installed, or not for this system.
    """

    def __init__(self, content: bytes, min_score: float, threads: int | None = None) -> None:
        self._content, self._min_score = content, min_score
        self._threads = threads or min(MAX_THREADS, available_cpu_count())
        self._by_size: dict[tuple[int, int], Any] = {}
        interpreter = _quiet_at_first(lambda: self._interpreter(STEP, STEP))
        self._pixels = interpreter.get_input_details()[0]["index"]
        outputs = sorted(interpreter.get_output_details(), key=lambda output: -output["shape"][1])
        self._levels = [output["index"] for output in outputs]  # of 8, 16, 32 pixels

    def __call__(self, photo: np.ndarray) -> np.ndarray:
        """The faces of a uint8 RGB photo, highest score first.

        Returns:
            float32 ``(faces, 15)``: left, top, width, height, five landmarks (x, y), score.
        """
        height, width = photo.shape[:2]
        interpreter = self._interpreter(height + -height % STEP, width + -width % STEP)
        pixels = interpreter.tensor(self._pixels)()[0]
        pixels[0] = pixels[:, 0] = pixels[height + 1 :] = pixels[:, width + 1 :] = 0
        pixels[1 : height + 1, 1 : width + 1] = photo
        del pixels  # LiteRT refuses to run while something refers to its memory
        interpreter.invoke()
        rows = decoded([interpreter.get_tensor(level) for level in self._levels], self._min_score)
        return without_overlaps(rows, self._min_score)

    def _interpreter(self, height: int, width: int) -> Any:
        """The interpreter of that size; the one that was not used for longest may be resized."""
        size = height, width
        interpreter = self._by_size.pop(size, None)
        if interpreter is None:
            if len(self._by_size) < SIZES:
                interpreter = self._new_interpreter()
            else:
                interpreter = self._by_size.pop(next(iter(self._by_size)))
            index = interpreter.get_input_details()[0]["index"]
            # one more row above and column on the left: the padding of the first layer
            interpreter.resize_tensor_input(index, (1, height + 1, width + 1, 3))
            interpreter.allocate_tensors()
        self._by_size[size] = interpreter
        return interpreter

    def _new_interpreter(self) -> Any:
        interpreter = imported("ai_edge_litert.interpreter:Interpreter")  # optional
        return interpreter(model_content=self._content, num_threads=self._threads)


def decoded(levels: Sequence[np.ndarray], min_score: float) -> np.ndarray:
    """The candidates of the network's outputs, as ``YuNetInLiteRT`` returns faces, unsorted.

    The score is the geometric mean of class and objectness.

    Args:
        levels: float32 ``(1, height / s, width / s, 16)`` for s = 8, 16, 32.
        min_score: candidates with a lower score are omitted.
    """
    # Both probabilities are at most 1, so each is at least the square of the score. Most cells are
    # omitted by that, before anything is computed.
    least = min(max(min_score**2, 1e-6), 1 - 1e-6)
    least_logit = math.log(least / (1 - least)) - 1e-3
    parts, corners, strides = [], [], []
    for output in levels:
        columns, cells = output.shape[2], output.reshape(-1, 16)
        likely = np.flatnonzero(cells[:, 0] >= least_logit)
        likely = likely[cells[likely, 1] >= least_logit]
        parts.append(cells[likely])
        corners.append(np.stack([likely % columns, likely // columns], 1))
        strides.append(np.full((len(likely), 1), 8 * levels[0].shape[2] // columns))
    cells, stride = np.concatenate(parts), np.concatenate(strides).astype(np.float32)
    corner = np.concatenate(corners).astype(np.float32)
    scores = np.sqrt((1 / (1 + np.exp(-cells[:, :2]))).prod(1, keepdims=True))
    sizes = np.exp(cells[:, 4:6]) * stride
    lefts = (corner + cells[:, 2:4]) * stride - sizes / 2
    marks = (cells[:, 6:] + np.tile(corner, 5)) * stride
    rows = np.concatenate([lefts, sizes, marks, scores], 1)
    kept: np.ndarray = rows[rows[:, -1] >= min_score]
    return kept


def without_overlaps(rows: np.ndarray, min_score: float) -> np.ndarray:
    """The rows whose boxes do not overlap one with a higher score; highest score first.

    As in OpenCV, boxes are compared in whole pixels.
    """
    if len(rows) < 2:
        return rows
    boxes = rows[:, :4].astype(np.int32).tolist()
    kept = cv2.dnn.NMSBoxes(boxes, rows[:, -1].tolist(), min_score, OVERLAP, 1.0, TOP)
    return rows[np.asarray(kept, np.int64).reshape(-1)]


def _quiet_at_first(make_interpreter: Callable[[], Any]) -> Any:
    """An interpreter, without what LiteRT reports on standard error about the first of a process.

    Standard error belongs to all threads, so only one may hide it, and only once.
    """
    global _has_reported
    with _quiet_lock:
        if _has_reported:
            return make_interpreter()
        with native_stderr_hidden():
            interpreter = make_interpreter()
        _has_reported = True
        return interpreter
