"""Augmentation of a batch on the fly. All chance comes in as numbers, so that it can be repeated exactly.

By OpenCV and NumPy, and so that an image's pixels do not depend on the batch it is in. That takes a fraction of the time of
TensorFlow's projective transform; benchmarks/input_speed.py compares it with a training step.
"""

import math

import cv2
import numpy as np
import tensorflow as tf

from ferkit.input_pipeline.epoch_plan import DRAWS

PIXELS_AT_ONCE = 300_000  # of a strip of images: what it takes stays in the cache
MOST_ROWS = 32_000  # OpenCV counts them in 16 bits
_GEOMETRIC = ("flip", "rotation", "shift", "zoom", "zoom_out", "shear", "crop")


def augment(images, draws, recipe):
    """Flip, warp, light and erase as the recipe says.

    Args:
        images: uint8 or float tensor ``(batch, height, width, channels)`` in [0, 255].
        draws: float32 tensor ``(batch, len(DRAWS))`` in [0, 1), one row of numbers per image; see ``plan``.
        recipe: a ``Recipe``; only its augmentation fields are read.

    Returns:
        float32 tensor of the same shape in [0, 255]. What a warp brings in from outside repeats the edge. Where nothing but a
        flip and a crop acts, pixels are copied exactly.
    """
    images = tf.convert_to_tensor(images)
    augmented = tf.numpy_function(
        lambda images, draws: _augment(images, draws, recipe), [images, draws], tf.float32
    )
    return tf.ensure_shape(augmented, images.shape)


def _augment(images, draws, recipe):
    """``augment`` on arrays."""
    numbers = dict(zip(DRAWS, draws.T.astype(np.float64), strict=True))
    if any(getattr(recipe, name) for name in _GEOMETRIC):
        images = _warp(images, _affine(numbers, recipe, *images.shape[1:3]))
    else:
        images = images.astype(np.float32)
    if recipe.contrast or recipe.brightness:
        _light(images, numbers, recipe)
    if recipe.erase:
        _erase(images, numbers, recipe)
    return images


def _signed(numbers, name):
    return 2.0 * numbers[name] - 1.0


def _affine(numbers, recipe, height, width):
    """Flip, shear, rotation, zoom, shift and crop as one map from output to input pixels: float64 ``(batch, 2, 3)``.

    Sums and products of NumPy round the same at every place of an array. Its cosine need not, so math's is taken.
    """
    active = (numbers["warp"].astype(np.float32) < np.float32(recipe.affine_probability)).astype(
        np.float64
    )
    angle = active * _signed(numbers, "rotation") * math.radians(recipe.rotation)
    mirror = np.where(numbers["flip"] < 0.5, -1.0, 1.0) if recipe.flip else np.ones_like(angle)
    # Input steps for one output step: above 1 the face becomes smaller.
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
    centre_x, centre_y = (width - 1) / 2.0, (height - 1) / 2.0
    moved_x = active * _signed(numbers, "shift_x") * (recipe.shift * width) + _whole(
        numbers["crop_x"], recipe.crop
    )
    moved_y = active * _signed(numbers, "shift_y") * (recipe.shift * height) + _whole(
        numbers["crop_y"], recipe.crop
    )
    x0 = centre_x - xx * centre_x - xy * centre_y + moved_x
    y0 = centre_y - yx * centre_x - yy * centre_y + moved_y
    return np.stack([xx, xy, x0, yx, yy, y0], axis=1).reshape(-1, 2, 3)


def _whole(numbers, most):
    """Whole numbers from -most to most, all as likely."""
    return np.floor(numbers * (2 * most + 1)) - most


def _warp(images, matrices):
    """One bilinear resampling of each image."""
    height, width = images.shape[1:3]
    together = max(1, min(PIXELS_AT_ONCE // (height * width), MOST_ROWS // height))
    warped = np.empty(images.shape, np.float32)
    for start in range(0, len(images), together):
        part = slice(start, start + together)
        _warp_together(images[part], matrices[part].astype(np.float32), warped[part])
    return warped


def _warp_together(images, matrices, out):
    """Images as one tall strip, in one call of OpenCV: a call for each keeps threads waiting for Python's lock."""
    count, height, width, channels = images.shape
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    m = matrices.reshape(count, 6, 1, 1)
    x = m[:, 0] * columns + (m[:, 1] * rows + m[:, 2])
    y = m[:, 3] * columns + (m[:, 4] * rows + m[:, 5])
    for places, last in ((x, width - 1), (y, height - 1)):
        np.clip(places, 0.0, last, out=places)
        # OpenCV reads at 32nds of a pixel. Rounded to these before an image's place in the strip is added, they stay the same
        # wherever it stands.
        np.multiply(places, 32.0, out=places)
        np.rint(places, out=places)
        np.multiply(places, 1.0 / 32.0, out=places)
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


def _light(images, numbers, recipe):
    """Contrast about the image's own mean, then brightness, in place."""
    factors = 1.0 + _signed(numbers, "contrast") * recipe.contrast
    offsets = _signed(numbers, "brightness") * (255.0 * recipe.brightness)
    for image, factor, offset in zip(images, factors.tolist(), offsets.tolist(), strict=True):
        offset += float(image.mean()) * (1.0 - factor)
        np.multiply(image, factor, out=image)
        np.add(image, offset, out=image)
        np.clip(image, 0.0, 255.0, out=image)


def _erase(images, numbers, recipe):
    """A rectangle of 2 % (to `erase_max_area`) of the area and aspect 1:3 to 3:1 becomes one gray (arXiv 1708.04896), in place."""
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
