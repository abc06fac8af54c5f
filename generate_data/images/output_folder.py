"""The folder of images of a dataset: written aside, named after its content, put in place whole."""

import contextlib
import hashlib
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from generate_data.images import png_writer
from generate_data.images.png import encode_png, png_rows
from generate_data.manifest import WORK_FOLDER

PIECE = 512  # images sent at once
WRITER = Path(png_writer.__file__)
_OURS = re.compile(r"images-[0-9a-f]{12}")


class ImageFolder:
    """Writes images as they come, in a process of its own.

    Where a dataset lies already, it may be of the same images, so they are kept until that is known.

    Args:
        folder: the dataset's folder.
        work: a folder on the same disk, for the unfinished.
        progress: called with the number of images taken since the last call.
    """

    def __init__(self, folder: Path, work: Path, progress: Callable[[int], None]):
        self.folder, self.work, self.progress = folder, work / "images", progress
        self.names: list[str] = []
        self.images: list[np.ndarray] = []
        self.waiting = any(folder.glob("images-*"))
        self.process: subprocess.Popen | None = None
        self.queue: queue.SimpleQueue = queue.SimpleQueue()
        self.feeder = threading.Thread(target=self._feed, daemon=True)

    def add(self, names: list[str], images: np.ndarray) -> None:
        """Takes uint8 (n, height, width) images to write under these names."""
        self.names += names
        self.images.append(images)
        if len(self.names) >= PIECE and not self.waiting:
            self._send()

    def _send(self) -> None:
        if self.process is None:
            self.work.mkdir()
            command = [sys.executable, "-I", "-S", str(WRITER), str(self.work)]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.feeder.start()
        if self.names:
            self.queue.put((self.names, self.images))
        self.names, self.images = [], []

    def _feed(self) -> None:
        """Runs in a thread: the process takes what it gets at its own pace."""
        try:
            while (piece := self.queue.get()) is not None:
                names, images = piece[0], np.concatenate(piece[1])
                self.process.stdin.write(
                    png_writer.packet(names, *images.shape[1:], png_rows(images))
                )
                self.progress(len(names))
        except OSError:
            pass  # the process ended early; `check` says why
        finally:
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    def check(self) -> None:
        """Raises the OSError that ended the process early, if one did."""
        if self.process is not None and self.process.poll():
            number = self.process.stdout.read().strip()
            number = int(number) if number.isdigit() else 0
            raise OSError(
                number,
                os.strerror(number) if number else "images could not be written",
                str(self.folder),
            )

    def finish(self, name: str) -> None:
        """Waits for the last image and puts the folder in place, under its name.

        Raises:
            OSError: an image could not be written.
        """
        target = self.folder / name
        if self.waiting and self._is_there(target):
            return
        self._send()
        self.queue.put(None)
        self.feeder.join()
        self.process.wait()
        self.check()
        if target.exists():  # of the same images, some lost or changed
            target.rename(self.work.with_name("old"))
        self.work.rename(target)

    def _is_there(self, target: Path) -> bool:
        images = (image for piece in self.images for image in piece)
        return target.is_dir() and all(
            _holds(target / name, image) for name, image in zip(self.names, images, strict=True)
        )

    def stop(self) -> None:
        """Ends the process, finished or not."""
        if self.process is not None:
            self.queue.put(None)
            self.process.kill()
            self.process.wait()
            self.feeder.join()
            self.process.stdout.close()


def _holds(path: Path, image: np.ndarray) -> bool:
    try:
        return path.read_bytes() == encode_png(image)
    except OSError:
        return False


def folder_name(names: list[str], images: np.ndarray) -> str:
    """The same name for the same images under the same names, another one for others."""
    content = hashlib.sha256("\n".join(names).encode())
    content.update(np.ascontiguousarray(images))
    return f"images-{content.hexdigest()[:12]}"


def remove_leftovers(folder: Path, keep: str | None = None) -> None:
    """Removes what killed set-ups left, and with `keep` the image folders of earlier datasets but that one."""
    for path in folder.glob(WORK_FOLDER + "*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob("images-*"):
        if keep is not None and path.name != keep and _OURS.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)
