"""The folder of images of a dataset: written aside, named after its content, put in place whole."""

import hashlib
import re
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from generate_data.images import write_png
from generate_data.manifest import WORK_FOLDER

_OURS = re.compile(r"images-[0-9a-f]{12}")


class ImageFolder:
    """Writes images in the background, into a work folder, as they come.

    One thread does it: a folder lets nobody else make files in it meanwhile.

    Args:
        folder: the dataset's folder.
        work: a folder on the same disk, for the unfinished.
        progress: called with the number of images written since the last call.
    """

    def __init__(self, folder: Path, work: Path, progress: Callable[[int], None]):
        self.folder, self.work, self.progress = folder, work / "images", progress
        self.work.mkdir()
        self.pool = ThreadPoolExecutor(1)
        self.pieces: list[Future] = []

    def add(self, names: list[str], images: np.ndarray) -> None:
        """Takes uint8 (n, height, width) images to write under these names."""
        self.pieces.append(self.pool.submit(self._write, names, images))

    def _write(self, names: list[str], images: np.ndarray) -> None:
        for name, image in zip(names, images, strict=True):
            write_png(f"{self.work}/{name}", image)
        self.progress(len(names))

    def check(self) -> None:
        """Raises the OSError of an image that could not be written so far, so that a full disk is noticed early."""
        for piece in self.pieces:
            if piece.done():
                piece.result()

    def finish(self, name: str) -> None:
        """Waits for the last image and puts the folder in place, under its name.

        Raises:
            OSError: an image could not be written.
        """
        for piece in self.pieces:
            piece.result()
        target = self.folder / name
        if target.exists():  # the very same images, or what someone left of them
            target.rename(self.work.with_name("old"))
        self.work.rename(target)

    def stop(self) -> None:
        """Gives up what is not written yet."""
        self.pool.shutdown(cancel_futures=True)


def folder_name(names: list[str], images: np.ndarray) -> str:
    """The same name for the same images under the same names, another one for others."""
    content = hashlib.blake2b("\n".join(names).encode(), digest_size=6)
    content.update(np.ascontiguousarray(images))
    return f"images-{content.hexdigest()}"


def remove_leftovers(folder: Path, keep: str | None = None) -> None:
    """Removes what killed set-ups left, and with `keep` the image folders of earlier datasets but that one."""
    for path in folder.glob(WORK_FOLDER + "*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob("images-*"):
        if keep is not None and path.name != keep and _OURS.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)
