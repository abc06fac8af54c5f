"""Images on disk as an array that is read when it is asked for: 300,000 of them need no more memory than a batch."""

import operator
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from generate_data.images.png import read_image


class ImageFiles:
    """A lazy uint8 array ``(n, size, size, channels)`` of image files of any size.

    Each image is decoded and squashed to a square when it is asked for, by a pool of threads that the object keeps.
    Several threads may ask at once. The only memory that grows is that of the paths.

    Args:
        paths: the files.
        size: height and width to resize to, in pixels.
        channels: 1 (gray) or 3 (red, green, blue); images of the other kind are converted.
        workers: threads; None is one for each processor, at most 8.

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
        self, paths: Sequence[str | Path], size: int, channels: int, workers: int | None = None
    ):
        if channels not in (1, 3):
            raise ValueError(f"Expected channels 1 or 3. Received: channels={channels}")
        if size < 1:
            raise ValueError(f"Expected a size of 1 or more pixels. Received: size={size}")
        self.paths = [os.fspath(path) for path in paths]
        self.size, self.channels = size, channels
        self.workers = workers or min(8, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(
            self.workers, thread_name_prefix="images"
        )  # starts a thread when there is work

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.paths), self.size, self.size, self.channels

    def __getitem__(self, key: "int | slice | Sequence[int] | np.ndarray") -> np.ndarray:
        """Reads images.

        Args:
            key: a slice, integers, or a mask of len(self) booleans, as an array would take; a single integer gives one image
                without the first dimension.

        Returns:
            uint8 ``(k, size, size, channels)`` in that order.

        Raises:
            DataError: naming a file that is missing or cannot be read.
            IndexError: there is no such row.
        """
        rows = _rows(key, len(self.paths))
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)

        def load(place: int) -> None:
            images[place] = read_square(self.paths[rows[place]], self.size, self.channels)

        if len(rows) == 1:
            load(0)
        else:
            list(self._pool.map(load, range(len(rows))))
        return images[0] if np.ndim(key) == 0 and not isinstance(key, slice) else images

    def close(self) -> None:
        """Ends the threads; the object can't be read any more."""
        self._pool.shutdown(cancel_futures=True)


def _rows(key, count: int) -> list[int]:
    """The row numbers that a key asks for, from 0 on."""
    if isinstance(key, slice):
        return list(range(*key.indices(count)))
    if np.ndim(key) == 0:
        key = [operator.index(key)]
    key = np.asarray(key)
    if not key.size and key.dtype.kind == "f":  # what an empty list becomes
        key = key.astype(int)
    if key.ndim != 1 or key.dtype.kind not in "iub":
        raise IndexError(
            f"Expected a slice, integers or a mask. Received: {key.dtype} array of shape {key.shape}"
        )
    return np.arange(count)[key].tolist()


def read_square(path: str | Path, size: int, channels: int) -> np.ndarray:
    """One image as uint8 (size, size, channels), its sides squashed to a square."""
    image = fit(convert(read_image(path), channels), size)
    return image[:, :, None] if image.ndim == 2 else image


def convert(image: np.ndarray, channels: int) -> np.ndarray:
    """A gray (height, width) or RGB (height, width, 3) image as the kind that `channels` asks for."""
    import cv2

    if channels == 1:
        return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)


def fit(image: np.ndarray, size: int) -> np.ndarray:
    """Resizes to a square: averages areas where a side shrinks, then interpolates linearly where one grows.

    Averaging keeps fine detail from turning into noise. Linear interpolation, as PyTorch resizes, unlike cubic makes no
    pixel brighter or darker than its neighbours are.
    """
    import cv2

    height, width = image.shape[:2]
    if height > size or width > size:
        image = cv2.resize(
            image, (min(width, size), min(height, size)), interpolation=cv2.INTER_AREA
        )
    if height < size or width < size:
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    return image
