"""Reads photos as upright RGB arrays, whatever their format, colors, transparency or rotation."""

import io
import math
import os
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from ferkit.errors import UserError, first_line
from ferkit.process import WarningsHidden
from generate_data.image_types import MAX_PIXELS, PHOTO_TYPES
from generate_data.images.photo_file import photo_file_content
from generate_data.images.pixels import eight_bits, on_gray


class BinaryFile(Protocol):
    """A file object that is open for reading bytes: a file, ``io.BytesIO``, an HTTP response."""

    def read(self) -> bytes:
        """The rest of its content."""
        ...


Photo = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile | Image.Image | np.ndarray
)
WARNINGS_HIDDEN = WarningsHidden(r"PIL\.")  # about unusual metadata, and sizes that we check
STRIP_PIXELS = 4_000_000
REFUSED_FORMATS = ("EPS",)  # Pillow would start another program, Ghostscript, with its content
SUFFIXES = PHOTO_TYPES  # of photos in a folder; a file that the user names may have any


class PhotoError(UserError):
    """A photo that cannot be read. Its text is one line: where, what is wrong, what to do.

    Example:
        >>> from ferkit import PhotoError, read_photo
        >>> try:
        ...     read_photo(b"no photo")
        ... except PhotoError as error:
        ...     print(error)
        the bytes given: not a photo in a supported format (8 bytes).
    """


class NoPhotoError(PhotoError):
    """Not a photo in a supported format."""


class TooManyPixelsError(PhotoError):
    """Too large; refused before it was decoded."""


def read_photo(
    source: Photo,
    max_pixels: int = MAX_PIXELS,
    formats: tuple[str, ...] | None = None,
    bgr: bool = False,
) -> np.ndarray:
    """A photo as uint8 RGB ``(height, width, 3)``, upright according to its EXIF orientation.

    The first frame of an animation is used, and the current one of a Pillow image. Transparent
    pixels become mid-gray. Pixels of more bits are scaled to 8 bits by the range of the brightest
    one: 8, 10, 12 or 16 bits. CMYK and other color spaces are converted.

    Args:
        source: a path, the bytes of a file, a binary file object, which is read from its position
            to its end, a Pillow image, or an array: ``(height, width)`` or
            ``(height, width, channels)`` with 1, 3 (RGB) or 4 (RGBA) channels, uint8, uint16, or
            float in [0, 1].
        max_pixels: larger photos are refused before they are decoded.
        formats: Pillow's names of the accepted formats of files; None: all but those that would
            start other programs (EPS: Ghostscript).
        bgr: arrays are BGR or BGRA, as OpenCV makes them. Other sources know their order.

    Raises:
        PhotoError: not a photo, damaged, or too large.

    Example:
        >>> from ferkit import read_photo
        >>> read_photo("photo.jpg").shape
        (512, 512, 3)
    """
    if isinstance(source, np.ndarray):
        _check_pixels("an array", source.shape[1::-1], max_pixels)
        return _from_array(source, bgr)
    if isinstance(source, Image.Image):
        return _from_pillow(source, max_pixels)
    name, content = _named_content(source)
    if not content:
        advice = "rewind it: seek(0)" if hasattr(source, "read") else "copy it again"
        raise PhotoError(name, "empty, 0 bytes", advice)
    _refuse_half_photos()
    try:
        with WARNINGS_HIDDEN, Image.open(io.BytesIO(content), formats=formats) as photo:
            _check_format(name, photo)
            _check_pixels(name, photo.size, max_pixels)
            photo.seek(0)
            photo.load()
            ImageOps.exif_transpose(photo, in_place=True)  # without a copy
            return _as_rgb(photo)
    except UnidentifiedImageError as error:
        problem = f"not a photo in a supported format ({len(content):,} bytes)"
        raise NoPhotoError(name, problem) from error
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(name, max_pixels) from error
    except PhotoError:
        raise
    except Exception as error:  # Pillow's exceptions depend on the format: RuntimeError for AVIF
        problem = f"damaged ({first_line(error, 120)})"
        raise PhotoError(name, problem, "copy it again") from error


def pixel_count(content: bytes, formats: tuple[str, ...] | None = None) -> int:
    """Number of pixels of a photo according to its header; 0 if ``read_photo`` will refuse it.

    Args:
        content: the bytes of a file.
        formats: see ``read_photo``.
    """
    try:
        with WARNINGS_HIDDEN, Image.open(io.BytesIO(content), formats=formats) as photo:
            return math.prod(photo.size)
    except Exception:  # whatever the format raises; read_photo reports it
        return 0


def kept_photo(source: Photo) -> Photo | PhotoError:
    """The same photo, whose source may be closed, changed or reused from now on.

    Args:
        source: see ``read_photo``. File objects are read, Pillow images decoded, arrays copied.

    Returns:
        What ``read_photo`` reads like the source, or the error that it would raise.
    """
    try:
        if isinstance(source, np.ndarray):
            return source.copy()
        if isinstance(source, Image.Image):
            kept = Image.fromarray(_from_pillow(source, MAX_PIXELS))
            kept.filename = photo_name(source)  # type: ignore[attr-defined]
            return kept
        if not hasattr(source, "read"):
            return source
        name, content = _named_content(source)
    except PhotoError as error:
        return error
    return _NamedFile(name, content)


class _NamedFile(io.BytesIO):
    """The content of a file object under its name."""

    def __init__(self, name: str, content: bytes) -> None:
        super().__init__(content)
        self.name = name


def photo_name(source: object) -> str:
    """The path of a path, file object or Pillow image; "" for a photo without one."""
    if isinstance(source, str | os.PathLike):
        return str(source)
    name = getattr(source, "filename" if isinstance(source, Image.Image) else "name", None)
    return str(name) if isinstance(name, str | os.PathLike) else ""


def _refuse_half_photos() -> None:
    """Turn off Pillow's global switch that accepts the readable part of a damaged photo."""
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _named_content(source: Any) -> tuple[str, bytes]:
    """A name for error messages and the bytes of a path, a file object or bytes."""
    if isinstance(source, bytes | bytearray | memoryview):
        return "the bytes given", bytes(source)
    if isinstance(source, str | os.PathLike):
        return str(source), _content(Path(source))
    if not hasattr(source, "read"):
        expected = "expected a path, bytes, a binary file object, a Pillow image or an array"
        raise PhotoError(f"a photo of type {type(source).__name__}", expected)
    where = photo_name(source) or "the file object given"
    try:
        content = source.read()
    except Exception as error:  # any: the object may be a connection or a part of an archive
        raise PhotoError(where, f"cannot be read ({first_line(error, 120)})") from error
    if not isinstance(content, bytes | bytearray | memoryview):
        kind = "text" if isinstance(content, str) else type(content).__name__
        raise PhotoError(where, f"gives {kind} instead of bytes", 'open it with mode "rb"')
    return where, bytes(content)


def _content(path: Path) -> bytes:
    try:
        return photo_file_content(path)
    except FileNotFoundError as error:
        raise PhotoError(path, "no such file") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise PhotoError(repr(str(path))[1:-1], f"cannot be read ({reason})") from error


def _check_format(name: str, photo: Image.Image) -> None:
    if photo.format in REFUSED_FORMATS:
        raise NoPhotoError(name, f"{photo.format} is not supported", "convert it to PNG")


def _check_pixels(name: str, size: tuple[int, ...], max_pixels: int) -> None:
    if math.prod(size) > max_pixels:
        raise _too_many_pixels(name, max_pixels)


def _too_many_pixels(name: str, max_pixels: int) -> TooManyPixelsError:
    problem = f"more than {max_pixels // 1_000_000} million pixels"
    return TooManyPixelsError(name, problem, "reduce its size")


def _from_pillow(photo: Image.Image, max_pixels: int) -> np.ndarray:
    """A Pillow image, which may not be decoded yet, as uint8 RGB; its current frame."""
    name = photo_name(photo) or "the Pillow image given"
    _check_format(name, photo)
    _check_pixels(name, photo.size, max_pixels)
    if 0 in photo.size:
        raise PhotoError(name, f"no pixels: {photo.size[0]} x {photo.size[1]}")
    _refuse_half_photos()
    try:
        with WARNINGS_HIDDEN:
            photo.load()
            return _as_rgb(ImageOps.exif_transpose(photo))
    except Exception as error:  # depends on the format: see read_photo
        raise PhotoError(name, f"cannot be decoded ({first_line(error, 120)})") from error


def _as_rgb(photo: Image.Image) -> np.ndarray:
    """A decoded Pillow image as uint8 RGB.

    A large one is converted in strips, because Pillow copies what it converts more than once.
    """
    if photo.mode in ("I", "F") or photo.mode.startswith("I;16"):
        return _from_array(eight_bits(np.asarray(photo)))
    width, height = photo.size
    rows = max(1, STRIP_PIXELS // width)
    if height <= rows:
        return _strip_as_rgb(photo)
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        pixels[top:bottom] = _strip_as_rgb(photo.crop((0, top, width, bottom)))
    return pixels


def _strip_as_rgb(photo: Image.Image) -> np.ndarray:
    if photo.has_transparency_data:
        return on_gray(np.asarray(photo.convert("RGBA")))
    return np.array(photo if photo.mode == "RGB" else photo.convert("RGB"))


def _from_array(array: np.ndarray, bgr: bool = False) -> np.ndarray:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if (
        array.ndim not in (2, 3)
        or (array.ndim == 3 and array.shape[2] not in (3, 4))
        or 0 in array.shape
    ):
        expected = "expected (height, width), or (height, width, 1, 3 or 4) in RGB order"
        raise PhotoError(f"an array of shape {array.shape}", expected)
    if bgr and array.ndim == 3:
        array = array[:, :, [2, 1, 0, 3][: array.shape[2]]]
    if array.dtype == np.uint16:
        array = eight_bits(array)
    elif array.dtype.kind == "f":
        if not np.isfinite(array).all() or array.min() < 0.0 or array.max() > 1.0:
            problem, advice = "expected values in [0, 1]", "convert 0..255 to uint8"
            raise PhotoError("a floating-point array", problem, advice)
        array = cv2.convertScaleAbs(array.astype(np.float32, copy=False), alpha=255.0)
    elif array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif array.dtype != np.uint8:
        expected = "expected uint8, uint16, or float in [0, 1]"
        raise PhotoError(f"an array of {array.dtype}", expected)
    if array.ndim == 2:
        return np.repeat(array[:, :, None], 3, axis=2)
    if array.shape[2] == 4:
        return on_gray(array)
    return np.ascontiguousarray(array)
