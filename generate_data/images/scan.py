"""One look at every image of a dataset, in parallel: can it be read, how large is it, which others show the very same."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from generate_data.errors import DataError
from generate_data.images.lazy_array import convert, fit
from generate_data.images.png import read_image

THUMBNAIL = 48  # pixels: what the search for near copies works on
PIECE = 64  # images that a thread takes at once


@dataclasses.dataclass
class Scan:
    """What was seen of n images; where one cannot be read, only its fault counts.

    Args:
        faults: for each image what is wrong with it, "" for nothing.
        sizes: int64 (n, 2), height and width.
        gray: bool (n,), whether it is without colour, also where the file stores three channels.
        digests: a hash of each image's size and decoded pixels.
        thumbnails: uint8 (n, 48, 48), or (0, 48, 48) when none were asked for.
    """

    faults: list[str]
    sizes: np.ndarray
    gray: np.ndarray
    digests: list[bytes]
    thumbnails: np.ndarray


def scan_images(
    paths: Sequence[str],
    thumbnails: bool,
    progress: Callable[[float], None] = lambda share: None,
    workers: int | None = None,
) -> Scan:
    """Decodes every image once; each is forgotten before its thread takes the next.

    Args:
        paths: the files.
        thumbnails: whether to keep a small gray version of each.
        progress: called with the share of the work done since the last call.
        workers: threads; None is one for each processor, at most 8. OpenCV lets other threads run while it decodes.
    """
    count = len(paths)
    small = np.zeros((count if thumbnails else 0, THUMBNAIL, THUMBNAIL), np.uint8)
    scan = Scan(
        [""] * count, np.zeros((count, 2), int), np.zeros(count, bool), [b""] * count, small
    )

    def look(start: int) -> int:
        stop = min(start + PIECE, count)
        for index in range(start, stop):
            try:
                _look(scan, index, read_image(paths[index]))
            except DataError as error:
                fault = (
                    str(error)
                    .removeprefix(f"{paths[index]}: ")
                    .removesuffix(".")
                    .partition(". ")[0]
                )  # without the advice
                scan.faults[index] = f"{paths[index]}: {fault}"
        return stop - start

    pool = ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1))
    try:
        for done in pool.map(look, range(0, count, PIECE)):
            progress(done / count)
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupted set-up ends at once
    return scan


def _look(scan: Scan, index: int, image: np.ndarray) -> None:
    image = without_colour(image)
    scan.sizes[index] = image.shape[:2]
    scan.gray[index] = image.ndim == 2
    scan.digests[index] = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest()
    if len(scan.thumbnails):
        scan.thumbnails[index] = fit(convert(image, 1), THUMBNAIL)


def without_colour(image: np.ndarray) -> np.ndarray:
    """An image of three equal channels as one: the same picture, however the file stores it."""
    if image.ndim == 2:
        return image
    red, green, blue = image[:, :, 0], image[:, :, 1], image[:, :, 2]
    # Most colour images show it in their first row.
    same = (red[0] == green[0]).all() and (red == green).all() and (red == blue).all()
    return np.ascontiguousarray(red) if same else image
