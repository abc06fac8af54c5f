"""The window of ``predict --show``: annotated frames while they are predicted."""

import collections
import os
import sys
import time

import cv2
import numpy as np

from ferkit.errors import UserError

TITLE = "ferkit: q or Esc closes this window"
CLOSING_KEYS = (ord("q"), ord("Q"), 27)  # 27: Esc
RATE_SECONDS = 2.0  # the frames/s are those of this time


class Window:
    """A window that shows pictures and their frames/s until the user closes it.

    Attributes:
        is_open: False once the user has closed it; it stays closed.

    Raises:
        UserError: the installed OpenCV cannot open windows, or no display is available.
    """

    def __init__(self) -> None:
        _check_display()
        try:
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error as error:
            raise _no_windows() from error
        self.is_open = True
        self._times: collections.deque[float] = collections.deque()

    def show(self, picture: np.ndarray) -> None:
        """Show a picture, uint8 RGB ``(height, width, 3)``, and look for a closing key."""
        if not self.is_open:
            return
        image = np.ascontiguousarray(picture[:, :, ::-1])
        text, font = f"{self._rate():.1f} frames/s", cv2.FONT_HERSHEY_SIMPLEX
        scale = max(0.5, image.shape[0] / 800)
        place = (round(10 * scale), round(25 * scale))
        for gray, width in ((0, 3), (255, 1)):  # white with a black edge
            color, thickness = (gray, gray, gray), max(1, round(width * scale))
            cv2.putText(image, text, place, font, scale, color, thickness)
        cv2.imshow(TITLE, image)
        key = cv2.waitKey(1)  # this also draws the window
        is_closed = cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1
        if is_closed or (key >= 0 and key & 0xFF in CLOSING_KEYS):
            self.close()

    def _rate(self) -> float:
        """Counts a frame; the frames/s of the last two seconds, 0 for the first frame."""
        now = time.monotonic()
        self._times.append(now)
        while now - self._times[0] > RATE_SECONDS and len(self._times) > 2:
            self._times.popleft()
        seconds = now - self._times[0]
        return (len(self._times) - 1) / seconds if seconds > 0 else 0.0

    def close(self) -> None:
        """Close the window."""
        if self.is_open:
            self.is_open = False
            cv2.destroyAllWindows()


def _check_display() -> None:
    """OpenCV's Qt would end the process without a display, so that is checked before."""
    framework = getattr(cv2, "currentUIFramework", None)
    if framework is not None and not framework():
        raise _no_windows()
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not has_display:
        problem = "no display: DISPLAY is not set"
        raise UserError("--show", problem, "run it on a desktop, or write videos with --annotate")


def _no_windows() -> UserError:
    advice = (
        "install opencv-python in its place: pip uninstall -y opencv-python-headless && "
        "pip install opencv-python"
    )
    return UserError("--show", "the installed OpenCV has no windows", advice)
