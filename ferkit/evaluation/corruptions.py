"""Corruptions of face images: what goes wrong in real photos, in five severities.

Lengths are fractions of the image's side, so that they fit images of any size. Noise and JPEG work
on single pixels, so they are milder for larger images.

Reference: Hendrycks and Dietterich, arXiv 1903.12261. Blur, noise, JPEG and brightness follow
theirs; the other corruptions are those of faces.
"""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

Corruption = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]

GRAY = 127  # what covers a part of the face
EYES_ROW, MOUTH_ROW = 0.39, 0.75  # where they are in an aligned face, as fractions of its height


def blur(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur, standard deviation 1, 1.5, 2, 3 or 4 % of the side."""
    sigma = (0.01, 0.015, 0.02, 0.03, 0.04)[severity - 1] * len(image)
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def noise(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise, standard deviation 2, 4, 7, 11 or 16 % of the range of a pixel."""
    sigma = (0.02, 0.04, 0.07, 0.11, 0.16)[severity - 1] * 255
    return _pixels(image + sigma * rng.standard_normal(image.shape))


def jpeg(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """JPEG compression of quality 50, 30, 20, 12 or 8."""
    quality = (50, 30, 20, 12, 8)[severity - 1]
    # OpenCV expects blue first.
    _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded: Any = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)  # never None: just encoded
    return decoded.reshape(image.shape)[..., ::-1]


def dark(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Pixels multiplied by 0.6, 0.4, 0.25, 0.15 or 0.08."""
    return _pixels(image * (0.6, 0.4, 0.25, 0.15, 0.08)[severity - 1])


def bright(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Pixels multiplied by 1.2, 1.4, 1.7, 2 or 2.5; what exceeds white is white."""
    return _pixels(image * (1.2, 1.4, 1.7, 2.0, 2.5)[severity - 1])


def low_resolution(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Reduced to 2/3, 1/2, 0.4, 0.3 or 0.2 of the side, and enlarged again."""
    size = len(image)
    small = max(1, round(size * (2 / 3, 1 / 2, 0.4, 0.3, 0.2)[severity - 1]))
    reduced = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    return cv2.resize(reduced, (size, size), interpolation=cv2.INTER_LINEAR)


def rotation(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Rotated by 8, 15, 22, 30 or 45 degrees to a random side; its edge is repeated."""
    angle = (8, 15, 22, 30, 45)[severity - 1] * rng.choice((-1, 1))
    size = len(image)
    matrix = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), float(angle), 1.0)
    return cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)


def eyes_covered(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """A gray band over the eyes, 8, 14, 20, 26 or 32 % of the height."""
    return _covered(image, EYES_ROW, severity)


def mouth_covered(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """A gray band over the mouth, 8, 14, 20, 26 or 32 % of the height."""
    return _covered(image, MOUTH_ROW, severity)


def cut_off(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """The outer 10, 15, 20, 30 or 40 % at a random side is missing.

    It is replaced by the edge of what is left, as the recognizer does at the edge of a photo.
    """
    missing = round(len(image) * (0.1, 0.15, 0.2, 0.3, 0.4)[severity - 1])
    quarter_turns = int(rng.integers(4))
    turned = np.rot90(image, quarter_turns).copy()
    turned[:missing] = turned[missing]
    return np.rot90(turned, -quarter_turns)


def mirrored(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Left and right exchanged; one severity."""
    return image[:, ::-1]


CORRUPTIONS: dict[str, Corruption] = {
    function.__name__: function
    for function in (
        blur,
        noise,
        jpeg,
        dark,
        bright,
        low_resolution,
        rotation,
        eyes_covered,
        mouth_covered,
        cut_off,
        mirrored,
    )
}


def severities(name: str) -> range:
    """The severities of a corruption: 1 to 5, and only 1 for "mirrored"."""
    return range(1, 2) if name == "mirrored" else range(1, 6)


def corrupted(
    images: np.ndarray, name: str, severity: int, indices: Sequence[int] | np.ndarray, seed: int = 0
) -> np.ndarray:
    """Corrupted images, the same ones for the same seed and indices, however they are batched.

    Args:
        images: uint8 ``(n, size, size, channels)``, 1 or 3 channels.
        name: of a corruption in ``CORRUPTIONS``.
        severity: one of ``severities(name)``.
        indices: ``(n,)``, the number of each image in its dataset. With the seed, it determines
            the noise or the side, which are the same for every severity.
        seed: of the random numbers, 0 or more.

    Returns:
        uint8 of the same shape.

    Example:
        >>> faces = np.zeros((2, 48, 48, 1), np.uint8)
        >>> corrupted(faces, "noise", 3, [0, 1]).mean() > 0
        True
    """
    function = CORRUPTIONS[name]
    out = np.empty_like(images)
    for image, target, index in zip(images, out, indices, strict=True):
        rng = np.random.default_rng([seed, int(index)])
        target[...] = function(image, severity, rng).reshape(image.shape)
    return out


def _pixels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _covered(image: np.ndarray, center: float, severity: int) -> np.ndarray:
    """A gray band around the row `center`, a fraction of the height."""
    half = (0.08, 0.14, 0.20, 0.26, 0.32)[severity - 1] / 2
    top, bottom = (round((center + side * half) * len(image)) for side in (-1, 1))
    out = image.copy()
    out[top:bottom] = GRAY
    return out
