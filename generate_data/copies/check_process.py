"""A second process for the check of pairs, since it is made of small steps for which threads wait for each other."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from generate_data.copies import check as copy_check

WORTH_IT = 10_000  # images: fewer are checked sooner than a process starts
ONE_THREAD = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
SHARE = 0.5  # of the pairs


class CheckProcess:
    """`copy_check.check_pairs` with the help of a process that starts when this is made.

    Args:
        count: number of images there will be; with few, no process is started.
    """

    def __init__(self, count: int):
        self.process = None
        if count >= WORTH_IT:
            command = [sys.executable, "-P", str(Path(copy_check.__file__))]
            environment = os.environ | dict.fromkeys(
                ONE_THREAD, "1"
            )  # the matrices are too small to share
            with contextlib.suppress(OSError):
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                )

    def check_pairs(
        self, images: np.ndarray, pairs: np.ndarray, progress: Callable[[float], None]
    ) -> np.ndarray:
        """Scores as `copy_check.check_pairs` gives them; a process that fails costs time and nothing else."""
        mine = len(pairs) if self.process is None else round(len(pairs) * SHARE)
        sent = self._send(images, pairs[mine:])
        scores = copy_check.check_pairs(
            images, pairs[:mine], lambda share: progress(share * mine / max(len(pairs), 1))
        )
        rest = self._receive() if sent else None
        if rest is None or len(rest) != len(pairs) - mine:
            rest = copy_check.check_pairs(images, pairs[mine:])
        progress(1 - mine / max(len(pairs), 1))
        return np.concatenate([scores, rest])

    def _send(self, images: np.ndarray, pairs: np.ndarray) -> bool:
        if self.process is None:
            return False
        used, places = np.unique(pairs, return_inverse=True)
        try:
            for array in (images[used], places.reshape(pairs.shape)):
                content = io.BytesIO()
                np.save(content, array)
                self.process.stdin.write(b"%d\n" % content.tell() + content.getbuffer())
            self.process.stdin.close()
        except OSError:
            return False
        return True

    def _receive(self) -> np.ndarray | None:
        content = self.process.stdout.read()
        try:
            return np.load(io.BytesIO(content))
        except (ValueError, EOFError):
            return None

    def close(self) -> None:
        """Ends the process, finished or not."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                with contextlib.suppress(OSError):
                    stream.close()
