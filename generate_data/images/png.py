"""Gray images as PNG files: one written, many read in parallel."""

import contextlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from generate_data.errors import DataError


def encode_png(image: np.ndarray) -> bytes:
    """The bytes of an 8-bit gray PNG of a uint8 (height, width) image.

    Stored without compression: a 48x48 face takes 2.4 KB instead of 1.8 KB, and both fill one 4 KB disk block.
    """
    return cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()


def read_image(path: str | Path, gray: bool = False) -> np.ndarray:
    """One image as uint8 (height, width) when it is gray, else (height, width, 3) in RGB order.

    Raises:
        DataError: the file is missing, or no image.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: the image is missing. Run set-up again.") from None
    except OSError as error:
        raise DataError(f"{path}: cannot read the image: {error.strerror}.") from None
    image = None
    if data:
        with contextlib.suppress(
            cv2.error
        ):  # raised for what claims to be larger than OpenCV takes
            image = cv2.imdecode(
                np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_ANYCOLOR
            )
    if image is None:
        raise DataError(
            f"{path}: not an image that can be read ({len(data)} bytes). Replace it, or run set-up again."
        )
    return image if image.ndim == 2 else np.ascontiguousarray(image[:, :, ::-1])


def load_images(
    paths: Sequence[str | Path], workers: int | None = None, progress: bool = False
) -> np.ndarray:
    """Reads images of one size, in parallel.

    Args:
        paths: the files; all of the size and the number of channels of the first.
        workers: threads; None is one for each processor, at most 8.
        progress: show a progress bar on stderr.

    Returns:
        uint8 array (n, height, width, channels), in the order of paths, colour in RGB order; (0, 0, 0, 1) without paths.

    Raises:
        DataError: naming the first file that is missing, no image, or of another size.

    Example:
        >>> from generate_data.manifest import read_manifest
        >>> manifest = read_manifest("data")
        >>> images = load_images([manifest.folder / path for path in manifest.split("val")["path"]])
    """
    if len(paths) == 0:
        return np.zeros((0, 0, 0, 1), np.uint8)
    first = read_image(paths[0])
    images = np.empty((len(paths), *first.shape), np.uint8)

    def load(start: int) -> int:
        stop = min(start + 256, len(paths))
        for index in range(start, stop):
            image = read_image(paths[index])
            if image.shape != first.shape:
                raise DataError(
                    f"{paths[index]}: an image of {_size(image)}, expected {_size(first)} like {paths[0]}. Run set-up again."
                )
            images[index] = image
        return stop - start

    workers = workers or min(8, os.cpu_count() or 1)
    with (
        ThreadPoolExecutor(workers) as pool,
        tqdm(
            total=len(paths), desc="Loading images", unit="image", disable=not progress, leave=False
        ) as bar,
    ):
        for count in pool.map(load, range(0, len(paths), 256)):
            bar.update(count)
    return images if images.ndim == 4 else images[..., None]


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]} ({'gray' if image.ndim == 2 else 'colour'})"
