"""Photos as people have them, read as upright RGB arrays: whatever the format, colours, transparency or rotation flag."""

import io
import warnings
from pathlib import Path

import numpy as np

from ferkit.errors import UserError

MOST_PIXELS = 120_000_000  # larger ones are refused before they are decoded: 360 MB of RGB
BEHIND_TRANSPARENT = (127, 127, 127)
# What a folder is searched for; a file named by the user may be called anything.
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
    """A photo that cannot be read; the rest of a batch goes on."""


class NoPhotoError(PhotoError):
    """Not in any format that is read."""


class TooManyPixelsError(PhotoError):
    """Refused before it was decoded."""


def read_photo(
    source: "str | Path | bytes | np.ndarray", most_pixels: int = MOST_PIXELS, formats=None
) -> np.ndarray:
    """A photo as uint8 ``(height, width, 3)``, red green blue, upright as its EXIF flag says.

    Of an animated file the first picture counts. Transparent places become mid-gray. 16-bit and floating-point pixels are scaled
    to 8 bits, CMYK and other colour spaces converted.

    Args:
        source: a file, its bytes, or an array: ``(height, width)``, ``(height, width, 1)``, 3 (RGB) or 4 (RGBA), uint8 or uint16,
            or float in [0, 1].
        most_pixels: larger photos are refused unread.
        formats: Pillow's names of those to read; None: all, some of which run other programs (EPS: Ghostscript).

    Raises:
        PhotoError: no photo, damaged, or too large; one line that says which.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

    name = "the bytes given" if isinstance(source, bytes) else str(source)
    content = source if isinstance(source, bytes) else _content(Path(source))
    if not content:
        raise PhotoError(f"{name}: empty, 0 bytes; copy it again.")
    if (
        ImageFile.LOAD_TRUNCATED_IMAGES
    ):  # somebody's global switch would let half a photo pass for a whole one
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of a decompression bomb, which is refused below, and of odd metadata
            with Image.open(io.BytesIO(content), formats=formats) as photo:
                width, height = photo.size
                if width * height > most_pixels:
                    raise Image.DecompressionBombError
                photo.seek(0)
                photo.load()
                return _as_rgb(ImageOps.exif_transpose(photo))
    except UnidentifiedImageError as error:
        raise NoPhotoError(
            f"{name}: no photo in a format that can be read ({len(content):,} bytes)."
        ) from error
    except Image.DecompressionBombError as error:
        raise TooManyPixelsError(
            f"{name}: more than {most_pixels // 1_000_000} million pixels; make it smaller."
        ) from error
    except PhotoError:
        raise
    except Exception as error:  # what Pillow raises for damaged files depends on the format: AVIF's RuntimeError, for one
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise PhotoError(f"{name}: damaged ({reason}); copy it again.") from error


def _content(path):
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise PhotoError(f"{path}: no such file.") from error
    except OSError as error:
        raise PhotoError(f"{path}: cannot be read ({error.strerror or error}).") from error


def _as_rgb(photo):
    """A decoded Pillow image as uint8 RGB."""
    if photo.mode in ("I", "F") or photo.mode.startswith("I;16"):
        return _from_array(_eight_bits(np.asarray(photo)))
    if photo.mode == "P":
        photo = photo.convert("RGBA")
    if photo.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        from PIL import Image

        photo = photo.convert("RGBA")
        behind = Image.new("RGBA", photo.size, (*BEHIND_TRANSPARENT, 255))
        photo = Image.alpha_composite(behind, photo)
    return np.array(photo.convert("RGB"))


def _eight_bits(pixels):
    """Gray of more than 8 bits, or floating point, as uint8: 16 bits by their range, others by their own."""
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


def _from_array(array):
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if (
        array.ndim not in (2, 3)
        or (array.ndim == 3 and array.shape[2] not in (3, 4))
        or 0 in array.shape
    ):
        raise PhotoError(
            f"an array of shape {array.shape}: expected (height, width), or (height, width, 1, 3 or 4), red green blue."
        )
    if array.dtype == np.uint16:
        array = np.round(array / 257.0).astype(np.uint8)
    elif array.dtype.kind == "f":
        if not np.isfinite(array).all() or array.min() < 0.0 or array.max() > 1.0:
            raise PhotoError(
                "a floating-point array: expected values in [0, 1]; convert 0..255 to uint8."
            )
        array = np.round(array * 255.0).astype(np.uint8)
    elif array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif array.dtype != np.uint8:
        raise PhotoError(f"an array of {array.dtype}: expected uint8, uint16, or float in [0, 1].")
    if array.ndim == 2:
        return np.repeat(array[:, :, None], 3, axis=2)
    if array.shape[2] == 4:
        share = array[:, :, 3:] / 255.0
        return np.round(
            array[:, :, :3] * share + np.array(BEHIND_TRANSPARENT) * (1.0 - share)
        ).astype(np.uint8)
    return np.ascontiguousarray(array)
