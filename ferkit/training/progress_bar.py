"""The progress line of a training, its remaining time, and how to stop it."""

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, Self

from tqdm import tqdm

SHOWN_SECONDS = 0.5


class ProgressLine:
    """One line for the current epoch: loss, accuracy, images/s and remaining time of the training.

    Args:
        epoch: number of this epoch, from 1.
        epochs: number of epochs.
        steps: number of steps in this epoch.
        first_step: step at which it continues.
        visible: False shows nothing.
    """

    def __init__(
        self, epoch: int, epochs: int, steps: int, first_step: int, visible: bool = True
    ) -> None:
        self._further = (epochs - epoch) * steps
        self._first_step, self._began, self._images = first_step, time.monotonic(), 0
        self._bar = tqdm(
            total=steps,
            initial=first_step,
            desc=f"epoch {epoch}/{epochs}",
            bar_format="{desc} |{bar:20}| {n_fmt}/{total_fmt}{postfix}",
            leave=False,
            mininterval=SHOWN_SECONDS,
            disable=None if visible else True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.close()

    def step(self, images: int) -> None:
        """Count a step with this number of images."""
        self._images += images
        self._bar.update()

    def show(self, loss: float, accuracy: float) -> None:
        """Update the displayed figures."""
        seconds = time.monotonic() - self._began
        done = self._bar.n - self._first_step
        steps_left = (self._bar.total or 0) - self._bar.n + self._further
        left = duration(seconds / max(done, 1) * steps_left)
        speed = f"{self._images / max(seconds, 1e-9):,.0f} images/s"
        self._bar.set_postfix_str(
            f"loss {loss:.3f}  accuracy {accuracy:.1%}  {speed}  {left} left", refresh=False
        )


@contextlib.contextmanager
def stop_signals() -> Iterator[list[int]]:
    """A list that becomes non-empty on Ctrl-C or SIGTERM; a second Ctrl-C stops immediately."""
    stopped: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if stopped:
            raise KeyboardInterrupt
        stopped.append(number)
        tqdm.write("Stopping after this step ...")

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread, which alone receives signals
        before = {}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def duration(seconds: float) -> str:
    """A length of time in words.

    Example:
        >>> duration(4000)
        '1 h 7 min'
    """
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
