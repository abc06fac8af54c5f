"""Videos and cameras, frame by frame."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np

from ferkit.errors import UserError
from ferkit.files import written_atomically

MOST_BROKEN = 50  # frames in a row that cannot be decoded, then a video is over
USUAL_RATE = 25.0


@dataclasses.dataclass(frozen=True)
class Frame:
    """A frame: its number from 0, its time in s, and uint8 RGB ``(height, width, 3)``."""

    number: int
    time: float
    image: np.ndarray


class Video:
    """A video file or a camera, read once from beginning to end; memory is that of one frame.

    Args:
        source: a file, or the number of a camera.

    Attributes:
        rate: frames/s as the file says; 25 where it says none.
        count: frames as the file says, 0 where it does not know.
        broken: frames so far that could not be decoded; they are left out.

    Raises:
        UserError: no such file or camera, or nothing in it that can be decoded.
    """

    def __init__(self, source: "str | Path | int") -> None:
        import cv2

        is_camera = isinstance(source, int)
        self.name = f"camera {source}" if is_camera else str(source)
        if not is_camera and not Path(source).is_file():
            raise UserError(f"{source}: no such file.")
        if not is_camera and Path(source).stat().st_size == 0:
            raise UserError(f"{source}: empty, 0 bytes; copy it again.")
        with _quiet_libraries():
            self._capture = cv2.VideoCapture(source if is_camera else str(source))
            opened = self._capture.isOpened()
            read, self._first = self._capture.read() if opened else (False, None)
        if not read and is_camera:
            raise UserError(
                f"--camera {source}: no camera there, or another program has it; try another number."
            )
        if not read:
            raise UserError(
                f"{source}: no video that can be decoded; convert it to .mp4 (H.264), for example with ffmpeg."
            )
        rate, count = (
            self._capture.get(cv2.CAP_PROP_FPS),
            self._capture.get(cv2.CAP_PROP_FRAME_COUNT),
        )
        self.rate = float(rate) if np.isfinite(rate) and 0 < rate < 1000 else USUAL_RATE
        self.count = int(count) if np.isfinite(count) and 0 < count < 1e9 and not is_camera else 0
        self.broken = 0
        self._is_camera = is_camera

    def frames(self) -> Iterator[Frame]:
        """The frames in order."""
        import time

        number, failed, began, image = 0, 0, time.monotonic(), self._first
        while True:
            if image is not None:
                failed = 0
                at = time.monotonic() - began if self._is_camera else number / self.rate
                yield Frame(number, at, np.ascontiguousarray(image[:, :, ::-1]))
            else:
                failed += 1
            number += 1
            with _quiet_libraries():
                read, image = self._capture.read()
            if not read:
                image = None
                at_end = not self.count or number + failed >= self.count
                if self._is_camera or at_end or failed >= MOST_BROKEN:
                    return
                self.broken += 1

    def close(self) -> None:
        self._capture.release()


class VideoWriter:
    """Writes an .mp4 that appears when the block ends well.

    Args:
        path: the file.
        rate: frames/s.

    Raises:
        UserError: it cannot be written.
    """

    def __init__(self, path: str | Path, rate: float) -> None:
        self.path, self._rate, self._writer = Path(path), rate, None

    def __enter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        self._draft = self._stack.enter_context(written_atomically(self.path))
        return self

    def write(self, image: np.ndarray) -> None:
        """The next frame, uint8 RGB; all of one size."""
        import cv2

        if self._writer is None:
            height, width = image.shape[:2]
            size = width // 2 * 2, height // 2 * 2  # what the format takes
            self._size = size
            self._writer = cv2.VideoWriter(
                str(self._draft), cv2.VideoWriter_fourcc(*"mp4v"), self._rate, size
            )
            if not self._writer.isOpened():
                raise UserError(
                    f"{self.path}: OpenCV here cannot write .mp4; leave --annotate out for videos."
                )
        width, height = self._size
        self._writer.write(np.ascontiguousarray(image[:height, :width, ::-1]))

    def __exit__(self, kind: None, error: None, trace: None) -> bool:
        if self._writer is not None:
            self._writer.release()
        elif kind is None:
            self._draft.touch()
        return self._stack.__exit__(kind, error, trace)


@contextlib.contextmanager
def _quiet_libraries() -> Iterator[None]:
    """FFmpeg writes what it dislikes straight to the terminal.

    The user gets one line from us instead.
    """
    with open(os.devnull, "w") as nowhere:
        kept = os.dup(2)
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
