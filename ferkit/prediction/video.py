"""Reads videos and cameras frame by frame, and writes videos."""

import contextlib
import dataclasses
import time
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from ferkit.errors import UserError
from ferkit.files import written_atomically
from ferkit.process import native_stderr_hidden

MAX_BROKEN_IN_A_ROW = 50  # a video ends after this number of frames that cannot be decoded
DEFAULT_RATE = 25.0  # frames/s


@dataclasses.dataclass(frozen=True)
class Frame:
    """A frame of a video.

    Attributes:
        number: number of the frame, from 0.
        time: its time in seconds.
        image: uint8 ``(height, width, 3)``, RGB.
    """

    number: int
    time: float
    image: np.ndarray


class Video:
    """A video file or a camera, read once from beginning to end, with one frame in memory.

    Args:
        source: a file, or the number of a camera.

    Attributes:
        name: the file, or "camera N".
        rate: frames/s according to the file; 25 if it does not say.
        count: number of frames according to the file; 0 if unknown, as for a camera.
        broken: number of frames so far that could not be decoded; they are skipped.

    Raises:
        UserError: no such file or camera, or it cannot be decoded.
    """

    def __init__(self, source: str | Path | int) -> None:
        self._is_camera = isinstance(source, int)
        self.name = f"camera {source}" if isinstance(source, int) else str(source)
        if not isinstance(source, int):
            _check_file(Path(source))
        # FFmpeg writes its messages to the terminal; the user gets a one-line error instead.
        with native_stderr_hidden(shown_on_failure=False):
            self._capture = cv2.VideoCapture(source if isinstance(source, int) else str(source))
            opened = self._capture.isOpened()
            is_read, first_image = self._capture.read() if opened else (False, None)
        self._first_image: np.ndarray | None = first_image
        if not is_read and self._is_camera:
            problem = "no such camera, or another program uses it"
            raise UserError(f"--camera {source}", problem, "try another number")
        if not is_read:
            advice = "convert it to .mp4 (H.264), for example with ffmpeg"
            raise UserError(str(source), "not a video that can be decoded", advice)
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.rate = float(rate) if np.isfinite(rate) and 0 < rate < 1000 else DEFAULT_RATE
        is_known = np.isfinite(count) and 0 < count < 1e9 and not self._is_camera
        self.count = int(count) if is_known else 0
        self.broken = 0

    def frames(self) -> Generator[Frame, None, None]:
        """The frames in order."""
        number, failed, started, image = 0, 0, time.monotonic(), self._first_image
        while True:
            if image is not None:
                failed = 0
                seconds = time.monotonic() - started if self._is_camera else number / self.rate
                yield Frame(number, seconds, np.ascontiguousarray(image[:, :, ::-1]))
            else:
                failed += 1
            number += 1
            with native_stderr_hidden(shown_on_failure=False):
                is_read, image = self._capture.read()
            if not is_read:
                image = None
                at_end = not self.count or number + failed >= self.count
                if self._is_camera or at_end or failed >= MAX_BROKEN_IN_A_ROW:
                    return
                self.broken += 1

    def close(self) -> None:
        """Release the file or camera."""
        self._capture.release()


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise UserError(path, "no such file")
    if path.stat().st_size == 0:
        raise UserError(path, "empty, 0 bytes", "copy it again")


class VideoWriter:
    """Writes an .mp4 file, which appears when the ``with`` block succeeds.

    Args:
        path: the file.
        rate: frames/s.

    Raises:
        UserError: the file cannot be written.
    """

    def __init__(self, path: str | Path, rate: float) -> None:
        self.path, self._rate = Path(path), rate
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def __enter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        self._draft = self._stack.enter_context(written_atomically(self.path))
        return self

    def write(self, image: np.ndarray) -> None:
        """Write the next frame, uint8 RGB; all frames have the size of the first."""
        if self._writer is None:
            self._writer = self._opened(*image.shape[:2])
        width, height = self._size
        self._writer.write(np.ascontiguousarray(image[:height, :width, ::-1]))

    def _opened(self, height: int, width: int) -> cv2.VideoWriter:
        self._size = width // 2 * 2, height // 2 * 2  # the format requires even sizes
        codec = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(self._draft), codec, self._rate, self._size)
        if not writer.isOpened():
            problem = "the installed OpenCV cannot write .mp4"
            raise UserError(self.path, problem, "omit --annotate for videos")
        return writer

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        if self._writer is not None:
            self._writer.release()
        elif kind is None:
            self._draft.touch()
        return self._stack.__exit__(kind, error, trace)
