"""Reads photos as upright RGB arrays, whatever their format, colors, transparency or rotation."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from ferkit.errors import UserError, first_line

Photo = str | Path | bytes | np.ndarray
MAX_PIXELS = 120_000_000  # larger photos are refused before they are decoded: 360 MB of RGB
TRANSPARENT_BACKGROUND = (127, 127, 127)
# Suffixes of photos in a folder; a file that the user names may have any.
SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".bmp",
    ".gif",
    ".webp",
    ".tif",
    ".tiff",
    ".pgm",
    ".ppm",
    ".jp2",
    ".avif",
)


class PhotoError(UserError):
    """A photo that cannot be read; the rest of a batch continues."""


class NoPhotoError(PhotoError):
    """Not a photo in a supported format."""


class TooManyPixelsError(PhotoError):
    """Too large; refused before it was decoded."""


def read_photo(
    source: Photo, max_pixels: int = MAX_PIXELS, formats: tuple[str, ...] | None = None
) -> np.ndarray:
    """A photo as uint8 RGB ``(height, width, 3)``, upright according to its EXIF orientation.

    The first frame of an animation is used. Transparent pixels become mid-gray. 16-bit and
    floating-point pixels are scaled to 8 bits; CMYK and other color spaces are converted.

    Args:
        source: a file, its bytes, or an array: ``(height, width)`` or ``(height, width, channels)``
            with 1, 3 (RGB) or 4 (RGBA) channels, uint8, uint16, or float in [0, 1].
        max_pixels: larger photos are refused before they are decoded.
        formats: Pillow's names of the accepted formats; None: all, some of which run other programs
            (EPS: Ghostscript).

    Raises:
        PhotoError: not a photo, damaged, or too large.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    name = "the bytes given" if isinstance(source, bytes) else str(source)
    content = source if isinstance(source, bytes) else _content(Path(source))
    if not content:
        raise PhotoError(name, "empty, 0 bytes", "copy it again")
    if ImageFile.LOAD_TRUNCATED_IMAGES:  # a global switch that would accept half a photo
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            # Decompression bombs are refused below; unusual metadata does not matter.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=formats) as photo:
                width, height = photo.size
                if width * height > max_pixels:
                    raise Image.DecompressionBombError
                photo.seek(0)
                photo.load()
                return _as_rgb(ImageOps.exif_transpose(photo))
    except UnidentifiedImageError as error:
        problem = f"not a photo in a supported format ({len(content):,} bytes)"
        raise NoPhotoError(name, problem) from error
    except Image.DecompressionBombError as error:
        problem = f"more than {max_pixels // 1_000_000} million pixels"
        raise TooManyPixelsError(name, problem, "reduce its size") from error
    except PhotoError:
        raise
    except Exception as error:  # Pillow's exceptions depend on the format: RuntimeError for AVIF
        problem = f"damaged ({first_line(error, 120)})"
        raise PhotoError(name, problem, "copy it again") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise PhotoError(path, "no such file") from error
    except OSError as error:
        raise PhotoError(path, f"cannot be read ({error.strerror or error})") from error


def _as_rgb(photo: Image.Image) -> np.ndarray:
    """A decoded Pillow image as uint8 RGB."""
    if photo.mode in ("I", "F") or photo.mode.startswith("I;16"):
        return _from_array(_eight_bits(np.asarray(photo)))
    if photo.mode == "P":
        photo = photo.convert("RGBA")
    if photo.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        photo = photo.convert("RGBA")
        background = Image.new("RGBA", photo.size, (*TRANSPARENT_BACKGROUND, 255))
        photo = Image.alpha_composite(background, photo)
    return np.array(photo.convert("RGB"))


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    """Gray of more than 8 bits as uint8: 16 bits by their range, other values by their own."""
    pixels = np.nan_to_num(pixels.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = pixels.min(initial=0.0), pixels.max(initial=0.0)
    if low >= 0 and high <= 1.0:
        scale = 255.0
    elif low >= 0 and high <= 255:
        scale = 1.0
    elif low >= 0 and high <= 65535:
        scale = 255.0 / 65535.0
    else:
        pixels, scale = pixels - low, 255.0 / max(high - low, 1e-12)
    return np.round(pixels * scale).clip(0, 255).astype(np.uint8)


def _from_array(array: np.ndarray) -> np.ndarray:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if (
        array.ndim not in (2, 3)
        or (array.ndim == 3 and array.shape[2] not in (3, 4))
        or 0 in array.shape
    ):
        expected = "expected (height, width), or (height, width, 1, 3 or 4) in RGB order"
        raise PhotoError(f"an array of shape {array.shape}", expected)
    if array.dtype == np.uint16:
        array = np.round(array / 257.0).astype(np.uint8)
    elif array.dtype.kind == "f":
        if not np.isfinite(array).all() or array.min() < 0.0 or array.max() > 1.0:
            problem, advice = "expected values in [0, 1]", "convert 0..255 to uint8"
            raise PhotoError("a floating-point array", problem, advice)
        array = np.round(array * 255.0).astype(np.uint8)
    elif array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif array.dtype != np.uint8:
        expected = "expected uint8, uint16, or float in [0, 1]"
        raise PhotoError(f"an array of {array.dtype}", expected)
    if array.ndim == 2:
        return np.repeat(array[:, :, None], 3, axis=2)
    if array.shape[2] == 4:
        share = array[:, :, 3:] / 255.0
        return np.round(
            array[:, :, :3] * share + np.array(TRANSPARENT_BACKGROUND) * (1.0 - share)
        ).astype(np.uint8)
    return np.ascontiguousarray(array)
