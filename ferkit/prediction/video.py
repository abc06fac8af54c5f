"""Reads videos, cameras and streams frame by frame, and writes videos."""

import contextlib
import dataclasses
import re
import struct
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

# A video ends after this number of frames that cannot be decoded; a URL may wait for each of them.
MAX_BROKEN_IN_A_ROW, MAX_BROKEN_OF_URL = 1000, 50
MAX_BROKEN_AT_START = 100
DEFAULT_RATE = 25.0  # frames/s
MAX_PAUSE = 3600.0  # seconds; a frame that would come later than this has a wrong time
URL_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp")
END_TOLERANCE = 0.05  # the number of frames, an estimate in some files, may be too high by this
TIMEOUT_MS = 10_000  # to connect to a URL, and to wait for its next frame


@dataclasses.dataclass(frozen=True)
class Frame:
    """A frame of a video.

    Attributes:
        number: number of the frame, from 0.
        time: its time in seconds, according to the file, from the first frame on.
        image: uint8 ``(height, width, 3)``, RGB.
    """

    number: int
    time: float
    image: np.ndarray


class Video:
    """A video file, a camera or a stream, read once from beginning to end, one frame in memory.

    Args:
        source: a file, the number of a camera, or a URL with a scheme of ``URL_SCHEMES``.

    Attributes:
        name: the file, "camera N", or the URL without user name, password and query.
        rate: frames/s according to the file; 25 if it does not say.
        count: number of frames according to the file; 0 if unknown, as for a camera.
        is_live: a camera, or a URL of unknown length; its times are those of the clock.
        broken: number of frames so far that could not be decoded; they are skipped.

    Raises:
        UserError: no such file, camera or stream, or it cannot be decoded.
    """

    def __init__(self, source: str | Path | int) -> None:
        is_camera = isinstance(source, int)
        self._is_url = isinstance(source, str) and is_url(source)
        self.name = f"camera {source}" if is_camera else str(source)
        if self._is_url:
            self.name = without_secrets(str(source))
        elif not isinstance(source, int):
            _check_file(Path(source))
        # FFmpeg writes its messages to the terminal; the user gets a one-line error instead.
        with native_stderr_hidden(shown_on_failure=False):
            self._capture = _opened_capture(source, self._is_url)
            most = 1 if is_camera or self._is_url else MAX_BROKEN_AT_START
            self._first, self._first_image = self._first_frame(most)
        if self._first_image is None:
            raise _cannot_open(source, self.name, self._is_url)
        self._started, position = time.monotonic(), self._position()
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.rate = float(rate) if np.isfinite(rate) and 0 < rate < 1000 else DEFAULT_RATE
        is_known = np.isfinite(count) and 0 < count < 1e9 and not is_camera
        self.count = int(count) if is_known else 0
        self.is_live = is_camera or (self._is_url and not self.count)
        # An exact number, as opposed to an estimate from the length.
        self._is_counted = bool(self.count) and self.rate == rate and not self._is_url
        self.broken = self._first
        self._start = position - self._first / self.rate

    def frames(self, stride: int = 1) -> Generator[Frame, None, None]:
        """The frames in order.

        Args:
            stride: only frames whose number is a multiple; the others are not decoded.

        Raises:
            UserError: a live URL has ended, or the connection to a video broke.
        """
        number, failed, image = self._first, 0, self._first_image
        seconds = number / self.rate
        most = MAX_BROKEN_OF_URL if self._is_url else MAX_BROKEN_IN_A_ROW
        while True:
            if image is not None and number % stride == 0:
                yield Frame(number, seconds, np.ascontiguousarray(image[:, :, ::-1]))
            number += 1
            is_read, image = self._next(is_decoded=number % stride == 0)
            if is_read:
                seconds = self._time(seconds, failed + 1)
                self.broken, failed = self.broken + failed, 0
                continue
            failed += 1
            at_end = not self.count or number >= self.count
            if self.is_live or at_end or failed >= most:
                first = number + 1 - failed
                self._check_end(first)
                missing = min(number + 1, self.count) - first
                if self._is_counted and missing > END_TOLERANCE * self.count:
                    self.broken += missing  # the file is cut off
                return

    def _first_frame(self, most: int) -> tuple[int, np.ndarray | None]:
        """The number of the first frame that can be decoded, of the first `most`, and its image."""
        for number in range(most if self._capture.isOpened() else 0):
            is_read, image = self._capture.read()
            if is_read:
                return number, image
        return 0, None

    def _position(self) -> float:
        """The time of the last frame in seconds, according to the file; it may be wrong or nan."""
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    def _time(self, before: float, frames: int) -> float:
        """The time of the last frame.

        Where the file has no time for it, or one that is not after the last one, the rate decides.

        Args:
            before: the time of the frame before.
            frames: number of frames since then.
        """
        if self.is_live:
            return time.monotonic() - self._started
        seconds = self._position() - self._start
        return seconds if before < seconds < before + MAX_PAUSE else before + frames / self.rate

    def _next(self, is_decoded: bool) -> tuple[bool, np.ndarray | None]:
        """Whether there is another frame, and its image if it is to be decoded."""
        with native_stderr_hidden(shown_on_failure=False):
            if not is_decoded:
                return self._capture.grab(), None
            is_read, image = self._capture.read()
        return is_read, image if is_read else None

    def _check_end(self, number: int) -> None:
        """Raise UserError if frame `number`, the first missing one, is not the end of a URL."""
        if self._is_url and (self.is_live or number < self.count * (1 - END_TOLERANCE) - 1):
            problem = f"the stream ended, or the connection broke, after {number:,} frames"
            raise UserError(self.name, problem, "open it again")

    def close(self) -> None:
        """Release the file or camera."""
        self._capture.release()


def is_url(source: str) -> bool:
    """Whether a source is a URL instead of a file."""
    return re.match(r"[A-Za-z][\w+.-]+://", source) is not None


def without_secrets(url: str) -> str:
    """A URL without user name, password, query and fragment, for messages.

    Of a URL that is not well formed, only the scheme is left: any part may be a secret.
    """
    user, host, path, rest = (
        r"(?:[^@/?#\s]*@)?",
        r"[^@/?#\s]+",
        r"(?:/[^@?#\s]*)?",
        r"(?:[?#][^@]*)?",
    )
    parts = re.fullmatch(rf"(\w[\w+.-]*://){user}({host}{path}){rest}", url)
    return "".join(parts.groups()) if parts else f"{url.partition('://')[0]}://..."


def _opened_capture(source: str | Path | int, is_stream: bool) -> cv2.VideoCapture:
    if not is_stream:
        return cv2.VideoCapture(source if isinstance(source, int) else str(source))
    url = str(source)
    if url.partition("://")[0].lower() not in URL_SCHEMES:
        known = ", ".join(URL_SCHEMES)
        raise UserError(without_secrets(url), "unknown kind of URL", f"choose from {known}")
    limit = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
    return cv2.VideoCapture(url, cv2.CAP_FFMPEG, limit)


def _cannot_open(source: str | Path | int, name: str, is_stream: bool) -> UserError:
    if isinstance(source, int):
        problem = "no such camera, or another program uses it"
        return UserError(f"--camera {source}", problem, "try another number")
    if is_stream:
        problem = f"no video at this URL within {TIMEOUT_MS // 1000} s"
        return UserError(name, problem, "check address, user name, password and network")
    advice = "convert it to .mp4 (H.264), for example with ffmpeg"
    return UserError(name, "not a video that can be decoded", advice)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise UserError(path, "no such file")
    if path.stat().st_size == 0:
        raise UserError(path, "empty, 0 bytes", "copy it again")


class VideoWriter:
    """Writes an .mp4 file, which appears when the ``with`` block succeeds.

    Args:
        path: the file.
        rate: frames/s, the same for all frames.
        tag: a text that is stored at the end of the file, see ``OutputNames.tag``; "": none.

    Raises:
        UserError: the file cannot be written.
    """

    def __init__(self, path: str | Path, rate: float, tag: str = "") -> None:
        self.path, self._rate, self._tag = Path(path), rate, tag.encode()
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
            if kind is None and self._tag:
                # A box "free" of the format ISO 14496-12, which players pass over.
                with open(self._draft, "ab") as film:
                    film.write(struct.pack(">I4s", 8 + len(self._tag), b"free") + self._tag)
        elif kind is None:
            self._draft.touch()
        return self._stack.__exit__(kind, error, trace)
