"""Image files: writes gray PNG files, and reads one image or many in parallel."""

import contextlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from generate_data.errors import SET_UP_AGAIN, DataError
from generate_data.image_types import MAX_PIXELS
from generate_data.images.photo_file import photo_file_content
from generate_data.images.pixels import eight_bits, on_gray

_PNG = b"\x89PNG\r\n\x1a\n"
# No other decoder looks at the bytes: some of Pillow's run programs (EPS: Ghostscript).
_FORMATS = ("JPEG", "BMP", "WEBP", "TIFF", "GIF", "PPM", "JPEG2000")

_PLAIN_PNG = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 0),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE),
)


def encode_png(image: np.ndarray) -> bytes:
    """Returns the bytes of an 8-bit gray PNG of a uint8 (height, width) image.

    The PNG is neither filtered nor compressed: a 48x48 face takes 2.4 KB instead of 1.8 KB, and
    both fill one 4 KB disk block.
    """
    return cv2.imencode(".png", image, _PLAIN_PNG)[1].tobytes()


def read_image(path: str | Path, gray: bool = False) -> np.ndarray:
    """Reads one image. Transparent pixels become mid-gray, and more than 8 bits become 8.

    Args:
        path: the file.
        gray: convert the image to gray.

    Returns:
        uint8 (height, width) if the image is gray, else (height, width, 3) in RGB order.

    Raises:
        DataError: the file is missing, is not an image, or is too large.
    """
    try:
        data = photo_file_content(path)
    except FileNotFoundError:
        raise DataError(path, "the image is missing", SET_UP_AGAIN) from None
    except OSError as error:
        problem = f"cannot read the image ({error.strerror})"
        raise DataError(path, problem, "check its permissions and the disk") from None
    if data:
        _check_pixels(path, data)
    image = _decoded(data, gray)
    if image is None:
        problem = f"not an image that can be read ({len(data)} bytes)"
        raise DataError(path, problem, f"replace it, or {SET_UP_AGAIN}")
    return image if image.ndim == 2 else np.ascontiguousarray(image[:, :, ::-1])


def _check_pixels(path: str | Path, data: bytes) -> None:
    """Raises DataError if the header claims too many pixels; decoding would fill the memory."""
    if data.startswith(_PNG):  # reading it here takes a tenth of Pillow's time
        width, height = (int.from_bytes(data[start : start + 4], "big") for start in (16, 20))
    else:
        try:
            with Image.open(io.BytesIO(data), formats=_FORMATS) as header:
                width, height = header.size
        except Image.DecompressionBombError:
            width, height = MAX_PIXELS, 2
        except Exception as error:  # Pillow's exceptions depend on the format
            problem = f"not an image that can be read ({len(data)} bytes)"
            raise DataError(path, problem, f"replace it, or {SET_UP_AGAIN}") from error
    if width * height > MAX_PIXELS:
        problem = f"more than {MAX_PIXELS // 1_000_000} million pixels"
        raise DataError(path, problem, "reduce its size")


def _decoded(data: bytes, gray: bool) -> np.ndarray | None:
    """Decodes the content of a file to gray or BGR; None: it is not an image."""
    image = None
    if data:
        mode = (cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_ANYCOLOR) | cv2.IMREAD_ANYDEPTH
        if _may_be_transparent(data):
            mode = cv2.IMREAD_UNCHANGED
        # OpenCV raises an error if the header claims a size above its limit.
        with contextlib.suppress(cv2.error):
            image = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    if image is None:
        return None
    if image.dtype != np.uint8:
        image = eight_bits(image)
    if image.ndim == 3 and image.shape[2] == 4:
        image = on_gray(image)
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if gray and image.ndim == 3 else image


def _may_be_transparent(data: bytes) -> bool:
    """Whether the header of a PNG or WebP file announces an opacity."""
    if data.startswith(_PNG):
        has_channel = bool(data[25] & 4) if len(data) > 25 else False
        return has_channel or b"tRNS" in data[: data.find(b"IDAT")]
    is_extended = data[8:16] == b"WEBPVP8X" and len(data) > 20
    return data[8:16] == b"WEBPVP8L" or (is_extended and bool(data[20] & 16))


def load_images(
    paths: Sequence[str | Path], workers: int | None = None, progress: bool = False
) -> np.ndarray:
    """Reads images of one size, in parallel.

    Args:
        paths: the files; all have the size and the number of channels of the first.
        workers: threads; None is one for each processor, at most 8.
        progress: show a progress bar on stderr.

    Returns:
        uint8 array (n, height, width, channels), in the order of paths, color in RGB order;
        (0, 0, 0, 1) without paths.

    Raises:
        DataError: a file is missing, is not an image, or has another size; the error names it.

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
                problem = f"an image of {_size(image)}, expected {_size(first)} like {paths[0]}"
                raise DataError(paths[index], problem, SET_UP_AGAIN)
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
    return f"{image.shape[1]}x{image.shape[0]} ({'gray' if image.ndim == 2 else 'color'})"
