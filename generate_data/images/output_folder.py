"""The image folder of a dataset: written to a work folder and renamed when it is complete.

Its name contains a hash of its content.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from generate_data.errors import DataError
from generate_data.images.png import encode_png, read_image
from generate_data.manifest import WORK_FOLDER

_IMAGE_FOLDER = re.compile(r"images-[0-9a-f]{12}")


class ImageFolder:
    """Writes images in threads while the caller reads more of them.

    If the dataset's folder already has images, they may be the same. Then nothing is written until
    the comparison is done.

    Args:
        folder: the dataset's folder.
        work: an existing folder on the same disk, for unfinished files.
        progress: called with the number of images written since the last call, from any thread.
    """

    def __init__(self, folder: Path, work: Path, progress: Callable[[int], None]) -> None:
        self.folder, self.work, self.progress = folder, work / "images", progress
        self.work.mkdir()
        self.batches: list[tuple[list[str], np.ndarray]] = []
        self.write_later = any(folder.glob("images-*"))
        self.pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="write")
        self.jobs: list[Future[None]] = []

    def add(self, names: list[str], images: np.ndarray) -> None:
        """Accepts uint8 (n, height, width) images to write under these file names."""
        if self.write_later:
            self.batches.append((names, images))
        else:
            self.jobs.append(self.pool.submit(self._write, names, images))

    def _write(self, names: list[str], images: np.ndarray) -> None:
        folder = str(self.work)  # joining text, not paths, and no buffer: half the time of a file
        for name, image in zip(names, images, strict=True):
            with open(f"{folder}/{name}", "wb", buffering=0) as file:
                file.write(encode_png(image))
        self.progress(len(names))

    def check(self) -> None:
        """Raises the first OSError of the writes that have ended so far."""
        for job in self.jobs:
            if job.done():
                job.result()

    def finish(self, name: str) -> None:
        """Waits for the last image, then renames the folder to its final name.

        Raises:
            OSError: an image could not be written.
        """
        target = self.folder / name
        if self.write_later:
            if target.is_dir() and all(self.pool.map(self._is_written, self._batches_in(target))):
                return
            self.write_later = False
            for names, images in self.batches:
                self.add(names, images)
        for job in self.jobs:
            job.result()
        move_into_place(self.work, target)

    def _batches_in(self, target: Path) -> list[tuple[list[Path], np.ndarray]]:
        return [([target / name for name in names], images) for names, images in self.batches]

    @staticmethod
    def _is_written(batch: tuple[list[Path], np.ndarray]) -> bool:
        """Whether each file holds the pixels of its image."""
        try:
            return all(
                np.array_equal(read_image(path), image) for path, image in zip(*batch, strict=True)
            )
        except DataError:
            return False

    def stop(self) -> None:
        """Ends the threads; writes that have not started are dropped."""
        self.pool.shutdown(cancel_futures=True)


def move_into_place(images: Path, target: Path) -> None:
    """Renames a folder of images to its final name, in place of an earlier one of that name."""
    if target.exists():  # the same images, some perhaps lost or changed
        target.rename(images.with_name("old"))
    images.rename(target)


def folder_name(names: list[str], images: np.ndarray) -> str:
    """The name of the image folder: a hash of file names and pixels."""
    content = hashlib.sha256("\n".join(names).encode())
    content.update(np.ascontiguousarray(images).data)
    return f"images-{content.hexdigest()[:12]}"


def remove_leftovers(folder: Path, keep: str | None = None) -> None:
    """Removes what killed set-ups left.

    With `keep`, the image folders of earlier datasets are removed too, except that one.
    """
    for path in folder.glob(WORK_FOLDER + "*"):
        if not path.name.removeprefix(WORK_FOLDER).isdecimal():
            continue  # a folder of the user
        shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob("images-*"):
        if keep is not None and path.name != keep and _IMAGE_FOLDER.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)
