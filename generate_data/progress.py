"""The progress bar of set-up."""

import threading
from types import TracebackType

from tqdm import tqdm


class ProgressBar:
    """One progress bar for all stages of set-up, updated by several threads.

    Args:
        shown: False for a bar that accepts updates and shows nothing.
    """

    def __init__(self, shown: bool) -> None:
        self.shown, self.lock = shown, threading.Lock()

    def __enter__(self) -> "ProgressBar":
        """Shows the bar."""
        layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed} elapsed, {remaining} to go"
        self.bar = tqdm(
            total=1.0, desc="Setting up", disable=not self.shown, leave=False, bar_format=layout
        )
        return self

    def add(self, fraction: float) -> None:
        """Advances the bar by this fraction of all work."""
        with self.lock:
            self.bar.update(min(fraction, 1.0 - self.bar.n))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Removes the bar."""
        self.bar.close()
