"""Bounds the memory of decoded photos."""

import contextlib
import threading
from collections.abc import Iterator


class PixelBudget:
    """Lets threads decode photos while all of them together have a bounded number of pixels.

    The others wait in their order, so that small photos do not keep a large one waiting for ever.

    Args:
        pixels: the bound; a photo that has more is decoded alone.
    """

    def __init__(self, pixels: int) -> None:
        self._total = self._free = pixels
        self._first_in_line, self._change = threading.Lock(), threading.Condition()

    @contextlib.contextmanager
    def held(self, pixels: int) -> Iterator[None]:
        """In this context, a photo of that many pixels may be in memory."""
        pixels = min(pixels, self._total)
        with self._first_in_line, self._change:
            self._change.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        try:
            yield
        finally:
            with self._change:
                self._free += pixels
                self._change.notify()
