"""The progress bar of a set-up."""

import threading


class ProgressBar:
    """One progress bar for all of set-up, fed with shares of its time by several threads.

    Args:
        shown: False for a bar that takes the shares and shows nothing.
    """

    def __init__(self, shown: bool):
        self.shown, self.lock = shown, threading.Lock()

    def __enter__(self) -> "ProgressBar":
        from tqdm import tqdm

        form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed} elapsed, {remaining} to go"
        self.bar = tqdm(
            total=1.0, desc="Setting up", disable=not self.shown, leave=False, bar_format=form
        )
        return self

    def add(self, share: float) -> None:
        """Moves the bar on by this share of the whole."""
        with self.lock:
            self.bar.update(min(share, 1.0 - self.bar.n))

    def __exit__(self, *error) -> None:
        self.bar.close()
