"""Images on disk as an array that reads them on access.

A dataset of 300,000 images then needs no more memory than one batch.
"""

import operator
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from generate_data.images.face_box import Box, read_face

Key = int | slice | Sequence[int] | np.ndarray


class ImageFiles:
    """A lazy uint8 array ``(n, size, size, channels)`` of image files of any size.

    It decodes each image and resizes it to a square on access, in a pool of threads. Several
    threads may read at once. Its memory grows only with the number of paths.

    Args:
        paths: the files.
        size: height and width to resize to, in pixels.
        channels: 1 (gray) or 3 (red, green, blue); other images are converted.
        workers: threads; None is one for each processor, at most 8.
        boxes: the face in each image, or None where it is the whole image; None: in all of them.

    Raises:
        ValueError: channels is neither 1 nor 3, or size is below 1.

    Example:
        >>> images = ImageFiles(manifest.split("train")["path"], size=224, channels=3)
        >>> images[:32].shape, images[[5, 2]].dtype
        ((32, 224, 224, 3), dtype('uint8'))
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self,
        paths: Sequence[str | Path],
        size: int,
        channels: int,
        workers: int | None = None,
        boxes: Sequence[Box | None] | None = None,
    ) -> None:
        if channels not in (1, 3):
            raise ValueError(f"Expected channels 1 or 3. Received: channels={channels}")
        if size < 1:
            raise ValueError(f"Expected a size of 1 or more pixels. Received: size={size}")
        self.paths = [os.fspath(path) for path in paths]
        self.boxes = list(boxes) if boxes is not None else [None] * len(self.paths)
        self.size, self.channels = size, channels
        self.workers = workers or min(8, os.cpu_count() or 1)
        # The pool starts its threads with its first job.
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="images")

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The number of images, height and width in pixels, and channels."""
        return len(self.paths), self.size, self.size, self.channels

    def __getitem__(self, key: Key) -> np.ndarray:
        """Reads images.

        Args:
            key: a slice, integers, or a mask of len(self) booleans, as for an array. A single
                integer returns one image, without the first dimension.

        Returns:
            uint8 ``(k, size, size, channels)`` in the order of the key.

        Raises:
            DataError: a file is missing or cannot be read; the error names it.
            IndexError: an index is out of range.
        """
        indices = _indices(key, len(self.paths))
        images = np.empty((len(indices), *self.shape[1:]), np.uint8)

        def load(position: int) -> None:
            index = indices[position]
            images[position] = read_square(
                self.paths[index], self.size, self.channels, self.boxes[index]
            )

        if len(indices) == 1:
            load(0)
        else:
            list(self._pool.map(load, range(len(indices))))
        return images[0] if _is_single(key) else images

    def close(self) -> None:
        """Stops the threads; after that, images cannot be read."""
        self._pool.shutdown(cancel_futures=True)


def _is_single(key: Key) -> bool:
    return not isinstance(key, slice) and np.asarray(key).ndim == 0


def _indices(key: Key, count: int) -> list[int]:
    """Returns the indices that a key selects, counted from 0."""
    if isinstance(key, slice):
        return list(range(*key.indices(count)))
    selected = np.asarray([operator.index(key)] if _is_single(key) else key)  # type: ignore[arg-type] # mypy does not see that a single key is an integer
    if not selected.size and selected.dtype.kind == "f":  # the dtype of an empty list
        selected = selected.astype(int)
    if selected.ndim != 1 or selected.dtype.kind not in "iub":
        received = f"{selected.dtype} array of shape {selected.shape}"
        raise IndexError(f"Expected a slice, integers or a mask. Received: {received}")
    return np.arange(count)[selected].tolist()


def read_square(path: str | Path, size: int, channels: int, box: Box | None = None) -> np.ndarray:
    """Reads one image as uint8 (size, size, channels); its aspect ratio is not kept."""
    image = resize_to_square(convert_channels(read_face(path, box), channels), size)
    return image[:, :, None] if image.ndim == 2 else image


def convert_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """Converts a gray (height, width) or RGB (height, width, 3) image to 1 or 3 channels."""
    if channels == 1:
        return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)


def resize_to_square(image: np.ndarray, size: int) -> np.ndarray:
    """Resizes to a square: averages areas where a side shrinks, then enlarges linearly.

    Averaging avoids aliasing. Linear interpolation, as in PyTorch, does not overshoot: unlike
    cubic interpolation, it makes no pixel brighter or darker than its neighbors.
    """
    height, width = image.shape[:2]
    if height > size or width > size:
        smaller = (min(width, size), min(height, size))
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
    if height < size or width < size:
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    return image
