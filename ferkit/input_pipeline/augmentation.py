"""Augmentation of a batch on the fly. All random numbers are arguments, so that it is repeatable.

It uses OpenCV and NumPy, and the pixels of an image do not depend on its batch. This takes a
fraction of the time of TensorFlow's projective transform; benchmarks/input_speed.py compares it
with a training step.
"""

import math

import cv2
import numpy as np
import tensorflow as tf

from ferkit.input_pipeline.epoch_plan import DRAWS
from ferkit.recipes.recipe import Recipe

RandomNumbers = dict[str, np.ndarray]  # name of a random number -> its values, (batch,)
MAX_STRIP_PIXELS = 300_000  # a strip of images that fits into the cache
MAX_STRIP_ROWS = 32_000  # OpenCV counts rows in 16 bits
_GEOMETRIC = ("flip", "rotation", "shift", "zoom", "zoom_out", "shear", "crop")


def augment(images: tf.Tensor, random: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Flip, warp, change the light, add noise and erase, as in the recipe.

    Args:
        images: uint8 or float tensor ``(batch, height, width, channels)`` in [0, 255].
        random: float32 tensor ``(batch, len(DRAWS))`` in [0, 1), one row per image; see
            ``epoch_plan``.
        recipe: hyperparameters; only its augmentation fields are used.

    Returns:
        float32 tensor of the same shape in [0, 255]. Outside the image, a warp repeats the edge. If
        only flip and crop are active, pixels are copied exactly.
    """
    images = tf.convert_to_tensor(images)
    augmented = tf.numpy_function(
        lambda images, random: _augment(images, random, recipe), [images, random], tf.float32
    )
    return tf.ensure_shape(augmented, images.shape)


def _augment(images: np.ndarray, random: np.ndarray, recipe: Recipe) -> np.ndarray:
    """``augment`` on arrays."""
    numbers = dict(zip(DRAWS, random.T.astype(np.float64), strict=True))
    if any(getattr(recipe, name) for name in _GEOMETRIC):
        images = _warp(images, _affine(numbers, recipe, *images.shape[1:3]))
    else:
        images = images.astype(np.float32)
    if recipe.contrast or recipe.brightness:
        _light(images, numbers, recipe)
    if recipe.noise:
        _add_noise(images, numbers, recipe)
    if recipe.erase:
        _erase(images, numbers, recipe)
    return images


def _signed(numbers: RandomNumbers, name: str) -> np.ndarray:
    return 2.0 * numbers[name] - 1.0


def _affine(numbers: RandomNumbers, recipe: Recipe, height: int, width: int) -> np.ndarray:
    """Flip, shear, rotation, zoom, shift and crop as one map from output to input pixels.

    NumPy rounds sums and products the same at every position of an array; its cosine may not, so
    math's is used.

    Returns:
        float64 ``(batch, 2, 3)``.
    """
    active = (numbers["warp"].astype(np.float32) < np.float32(recipe.affine_probability)).astype(
        np.float64
    )
    angle = active * _signed(numbers, "rotation") * math.radians(recipe.rotation)
    mirror = np.where(numbers["flip"] < 0.5, -1.0, 1.0) if recipe.flip else np.ones_like(angle)
    # Input pixels per output pixel: above 1 the face becomes smaller.
    scale = (1.0 + active * _signed(numbers, "zoom") * recipe.zoom) / (
        1.0 - active * numbers["zoom_out"] * recipe.zoom_out
    )
    slope = active * _signed(numbers, "shear") * recipe.shear
    cosine, sine = (
        np.array([function(a) for a in angle.tolist()]) * scale for function in (math.cos, math.sin)
    )
    # Output offset (u, v) -> input offset: mirror, then shear along x, then rotate and zoom.
    xx, xy = cosine * mirror, cosine * slope - sine
    yx, yy = sine * mirror, sine * slope + cosine
    center_x, center_y = (width - 1) / 2.0, (height - 1) / 2.0
    moved_x = active * _signed(numbers, "shift_x") * (recipe.shift * width) + _integers(
        numbers["crop_x"], recipe.crop
    )
    moved_y = active * _signed(numbers, "shift_y") * (recipe.shift * height) + _integers(
        numbers["crop_y"], recipe.crop
    )
    x0 = center_x - xx * center_x - xy * center_y + moved_x
    y0 = center_y - yx * center_x - yy * center_y + moved_y
    return np.stack([xx, xy, x0, yx, yy, y0], axis=1).reshape(-1, 2, 3)


def _integers(numbers: np.ndarray, limit: int) -> np.ndarray:
    """Integers from -limit to limit, all equally likely."""
    return np.floor(numbers * (2 * limit + 1)) - limit


def _warp(images: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Bilinear resampling of each image."""
    height, width = images.shape[1:3]
    strip = max(1, min(MAX_STRIP_PIXELS // (height * width), MAX_STRIP_ROWS // height))
    warped = np.empty(images.shape, np.float32)
    for start in range(0, len(images), strip):
        part = slice(start, start + strip)
        _warp_strip(images[part], matrices[part].astype(np.float32), warped[part])
    return warped


def _warp_strip(images: np.ndarray, matrices: np.ndarray, out: np.ndarray) -> None:
    """Warp images as one tall strip: one OpenCV call per image would contend for Python's lock."""
    count, height, width, channels = images.shape
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    m = matrices.reshape(count, 6, 1, 1)
    x = m[:, 0] * columns + (m[:, 1] * rows + m[:, 2])
    y = m[:, 3] * columns + (m[:, 4] * rows + m[:, 5])
    for coordinates, last in ((x, width - 1), (y, height - 1)):
        np.clip(coordinates, 0.0, last, out=coordinates)
        # OpenCV samples at 32nds of a pixel. Rounding to these before the image's position in the
        # strip is added makes the result independent of that position.
        np.multiply(coordinates, 32.0, out=coordinates)
        np.rint(coordinates, out=coordinates)
        np.multiply(coordinates, 1.0 / 32.0, out=coordinates)
    y += (height * np.arange(count, dtype=np.float32))[:, None, None]
    strip = images.reshape(count * height, width, channels).astype(np.float32)
    maps = x.reshape(count * height, width), y.reshape(count * height, width)
    cv2.remap(
        strip,
        *maps,
        cv2.INTER_LINEAR,
        out.reshape(count * height, width, channels),
        cv2.BORDER_REPLICATE,
    )


def _light(images: np.ndarray, numbers: RandomNumbers, recipe: Recipe) -> None:
    """Contrast around the mean of the image, then brightness, in place."""
    factors = 1.0 + _signed(numbers, "contrast") * recipe.contrast
    offsets = _signed(numbers, "brightness") * (255.0 * recipe.brightness)
    for image, factor, offset in zip(images, factors.tolist(), offsets.tolist(), strict=True):
        offset += float(image.mean()) * (1.0 - factor)
        np.multiply(image, factor, out=image)
        np.add(image, offset, out=image)
        np.clip(image, 0.0, 255.0, out=image)


def _add_noise(images: np.ndarray, numbers: RandomNumbers, recipe: Recipe) -> None:
    """Gaussian noise in place, the same in all channels; half of the images stay without."""
    deviations = np.maximum(_signed(numbers, "noise"), 0.0) * (255.0 * recipe.noise)
    seeds = (numbers["noise_seed"] * 2**24).astype(np.int64)  # a float32 below 1 has 24 bits
    for row in np.flatnonzero(deviations):
        noise = np.random.default_rng(seeds[row]).standard_normal(
            (*images.shape[1:3], 1), dtype=np.float32
        )
        images[row] += deviations[row].astype(np.float32) * noise
        np.clip(images[row], 0.0, 255.0, out=images[row])


def _erase(images: np.ndarray, numbers: RandomNumbers, recipe: Recipe) -> None:
    """Random erasing (arXiv 1708.04896), in place.

    A rectangle of 2 % to `erase_max_area` of the area, aspect 1:3 to 3:1, becomes one gray value.
    """
    height, width = images.shape[1:3]
    names = ("erase_area", "erase_aspect", "erase_x", "erase_y", "erase_value")
    for row in np.flatnonzero(numbers["erase"] < recipe.erase):
        area, aspect, x, y, value = (float(numbers[name][row]) for name in names)
        area = 0.02 + (recipe.erase_max_area - 0.02) * area
        aspect = math.exp((2.0 * aspect - 1.0) * math.log(3.0))
        part_y = min(math.sqrt(area * aspect), 1.0) * height
        part_x = min(math.sqrt(area / aspect), 1.0) * width
        top, left = y * (height - part_y), x * (width - part_x)
        within_y = slice(math.ceil(top), math.ceil(top + part_y))
        images[row, within_y, math.ceil(left) : math.ceil(left + part_x)] = value * 255.0
