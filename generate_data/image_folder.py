"""The folder of images of a dataset: written aside, named after its content, put in place whole."""

import hashlib
import re
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from generate_data.images import encode_png, write_png
from generate_data.manifest import WORK_FOLDER

WORKERS = 2
PIECE = 256  # images
_OURS = re.compile(r"images-[0-9a-f]{12}")


class ImageFolder:
    """Writes images in the background, into a work folder, unless the dataset has the very same already.

    Args:
        folder: the dataset's folder.
        work: a folder on the same disk, for the unfinished.
        names: a file name for each image.
        images: uint8 (n, height, width).
        progress: called with the share of the work done since the last call.
    """

    def __init__(self, folder: Path, work: Path, names: list[str], images: np.ndarray, progress: Callable[[float], None]):
        self.folder, self.work, self.names, self.images, self.progress = folder, work / "images", names, images, progress
        content = hashlib.blake2b("\n".join(names).encode(), digest_size=6)
        content.update(np.ascontiguousarray(images))
        self.name = f"images-{content.hexdigest()}"
        self.there = (folder / self.name).is_dir()
        if not self.there:
            self.work.mkdir()
        self.pool = ThreadPoolExecutor(WORKERS)
        self.pieces: list[Future] = [self.pool.submit(self._piece, start) for start in range(0, len(names), PIECE)]

    def _piece(self, start: int) -> bool:
        """Writes some images, or says whether those that are there are the same."""
        stop = min(start + PIECE, len(self.names))
        for index in range(start, stop):
            if not self.there:
                write_png(f"{self.work}/{self.names[index]}", self.images[index])
            elif not _holds(self.folder / self.name / self.names[index], encode_png(self.images[index])):
                return False
        self.progress((stop - start) / len(self.names))
        return True

    def finish(self) -> None:
        """Waits for the last image and puts the folder in place.

        Raises:
            OSError: an image could not be written.
        """
        if not all(piece.result() for piece in self.pieces):  # someone lost or changed images: all of them again
            self.there = False
            self.work.mkdir()
            for start in range(0, len(self.names), PIECE):
                self._piece(start)
        self.pool.shutdown()
        if not self.there:
            target = self.folder / self.name
            if target.exists():
                target.rename(self.work.with_name("old"))
            self.work.rename(target)

    def stop(self) -> None:
        """Gives up what is not written yet."""
        self.pool.shutdown(cancel_futures=True)


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def remove_leftovers(folder: Path, keep: str | None = None) -> None:
    """Removes what killed set-ups left, and with `keep` the image folders of earlier datasets but that one."""
    for path in folder.glob(WORK_FOLDER + "*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob("images-*"):
        if keep is not None and path.name != keep and _OURS.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)
