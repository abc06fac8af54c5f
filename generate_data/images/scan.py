"""One pass over all images of a dataset, in parallel: readability, size, color, hash, thumbnail."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from generate_data.errors import DataError
from generate_data.images.face_box import Box, read_face
from generate_data.images.lazy_array import convert_channels, resize_to_square

THUMBNAIL = 48  # pixels: the input size of the search for near-duplicates
PIECE = 64  # images in one job of a thread


@dataclasses.dataclass
class Scan:
    """The properties of n images; if one cannot be read, only its entry in `faults` is valid.

    Args:
        faults: for each image the file and what is wrong with it, "" for a valid image.
        sizes: int64 (n, 2), height and width.
        gray: bool (n,), whether it has no color; also True for a file with three equal channels.
        digests: a hash of each image's size and decoded pixels.
        thumbnails: uint8 (n, 48, 48), or (0, 48, 48) if the caller needs none.
    """

    faults: list[str]
    sizes: np.ndarray
    gray: np.ndarray
    digests: list[bytes]
    thumbnails: np.ndarray

    def select(self, indices: list[int]) -> "Scan":
        """Returns the entries of some images, all of them valid."""
        return Scan(
            [""] * len(indices),
            self.sizes[indices],
            self.gray[indices],
            [self.digests[index] for index in indices],
            self.thumbnails[indices] if len(self.thumbnails) else self.thumbnails,
        )


def scan_images(
    paths: Sequence[str],
    thumbnails: bool,
    progress: Callable[[float], None] = lambda share: None,
    workers: int | None = None,
    boxes: Sequence[Box | None] | None = None,
) -> Scan:
    """Decodes every image once; each thread keeps one decoded image at a time.

    Args:
        paths: the files.
        thumbnails: whether to keep a small gray version of each.
        progress: called with the share of the work done since the last call.
        workers: threads; None is one for each processor, at most 8. OpenCV releases the GIL while
            it decodes.
        boxes: the face in each image, as for `ImageFiles`; size and pixels are those of the face.
    """
    count = len(paths)
    boxes = boxes or [None] * count
    small = np.zeros((count if thumbnails else 0, THUMBNAIL, THUMBNAIL), np.uint8)
    scan = Scan(
        [""] * count, np.zeros((count, 2), int), np.zeros(count, bool), [b""] * count, small
    )

    def scan_piece(start: int) -> int:
        stop = min(start + PIECE, count)
        for index in range(start, stop):
            try:
                _record(scan, index, read_face(paths[index], boxes[index]))
            except DataError as error:
                scan.faults[index] = f"{error.where}: {error.problem}"
        return stop - start

    pool = ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1))
    try:
        for done in pool.map(scan_piece, range(0, count, PIECE)):
            progress(done / count)
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupted set-up ends at once
    return scan


def _record(scan: Scan, index: int, image: np.ndarray) -> None:
    image = merge_equal_channels(image)
    scan.sizes[index] = image.shape[:2]
    scan.gray[index] = image.ndim == 2
    scan.digests[index] = pixel_digest(image)
    if len(scan.thumbnails):
        scan.thumbnails[index] = resize_to_square(convert_channels(image, 1), THUMBNAIL)


def pixel_digest(image: np.ndarray) -> bytes:
    """Returns the SHA-256 of an image's size and pixels, after `merge_equal_channels`."""
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest()


def merge_equal_channels(image: np.ndarray) -> np.ndarray:
    """Converts an image of three equal channels to one channel; other images stay as they are."""
    if image.ndim == 2:
        return image
    red, green, blue = image[:, :, 0], image[:, :, 1], image[:, :, 2]
    # The first row is checked first: it differs in most color images.
    equal = (red[0] == green[0]).all() and (red == green).all() and (red == blue).all()
    return np.ascontiguousarray(red) if equal else image
