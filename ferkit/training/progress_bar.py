"""What a person sees and does while a training runs: the progress line, how long it takes, and how to stop it."""

import contextlib
import signal
import time

from tqdm import tqdm

SHOWN_SECONDS = 0.5


class ProgressLine:
    """One line for the epoch under way: loss, accuracy, images/s and the time left of the whole training.

    Args:
        epoch, epochs: this one, from 1, and all.
        steps, first_step: of this epoch; where it goes on.
        visible: False shows nothing.
    """

    def __init__(self, epoch, epochs, steps, first_step, visible=True):
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

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bar.close()

    def step(self, images):
        self._images += images
        self._bar.update()

    def show(self, loss, accuracy):
        """Fill in what is known now."""
        seconds = time.monotonic() - self._began
        done = self._bar.n - self._first_step
        left = duration(seconds / max(done, 1) * (self._bar.total - self._bar.n + self._further))
        speed = f"{self._images / max(seconds, 1e-9):,.0f} images/s"
        self._bar.set_postfix_str(
            f"loss {loss:.3f}  accuracy {accuracy:.1%}  {speed}  {left} left", refresh=False
        )


@contextlib.contextmanager
def stop_signals():
    """A list that becomes non-empty on Ctrl-C or SIGTERM; a second Ctrl-C stops at once."""
    stopped = []

    def note(number, frame):
        if stopped:
            raise KeyboardInterrupt
        stopped.append(number)
        tqdm.write("Stopping after this step ...")

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: no signals to catch
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
