"""Augmentation of a batch on the fly. All chance comes in as numbers, so that it can be repeated exactly."""

import tensorflow as tf

from .plan import DRAWS

_GEOMETRIC = ("rotation", "shift", "zoom", "shrink", "shear")


def augment(images, draws, recipe):
    """Flip, warp, light and erase as the recipe says.

    Args:
        images: uint8 or float tensor ``(batch, height, width, channels)`` in [0, 255].
        draws: float32 tensor ``(batch, len(DRAWS))`` in [0, 1), one row of numbers per image; see ``plan``.
        recipe: a ``Recipe``; only its augmentation fields are read.

    Returns:
        float32 tensor of the same shape in [0, 255]. What a warp brings in from outside repeats the edge.
    """
    images = tf.cast(images, tf.float32)
    if any(getattr(recipe, name) for name in _GEOMETRIC):
        images = _warp(images, draws, recipe)
    elif recipe.flip:
        mirrored = _draw(draws, "flip") < 0.5
        images = tf.where(tf.reshape(mirrored, [-1, 1, 1, 1]), tf.reverse(images, axis=[2]), images)
    if recipe.contrast or recipe.brightness:
        images = _light(images, draws, recipe)
    if recipe.erase:
        images = _erase(images, draws, recipe)
    return images


def _draw(draws, name):
    return draws[:, DRAWS.index(name)]


def _signed(draws, name):
    return 2.0 * _draw(draws, name) - 1.0


def _warp(images, draws, recipe):
    """One bilinear resampling for flip, rotation, shear, zoom and shift, about the image's centre."""
    height, width = images.shape[1], images.shape[2]
    active = tf.cast(_draw(draws, "warp") < recipe.warp_share, tf.float32)
    angle = active * _signed(draws, "rotation") * (recipe.rotation * 3.141592653589793 / 180.0)
    mirror = tf.where(_draw(draws, "flip") < 0.5, -1.0, 1.0) if recipe.flip else tf.ones_like(angle)
    # Input steps for one output step: above 1 the face becomes smaller.
    scale = (1.0 + active * _signed(draws, "zoom") * recipe.zoom) / (1.0 - active * _draw(draws, "shrink") * recipe.shrink)
    slope = active * _signed(draws, "shear") * recipe.shear
    cosine, sine = tf.cos(angle) * scale, tf.sin(angle) * scale
    # Output offset (u, v) -> input offset: mirror, then shear along x, then rotate and zoom.
    xx, xy = cosine * mirror, cosine * slope - sine
    yx, yy = sine * mirror, sine * slope + cosine
    centre_x, centre_y = (width - 1) / 2.0, (height - 1) / 2.0
    x0 = centre_x - xx * centre_x - xy * centre_y + active * _signed(draws, "shift_x") * (recipe.shift * width)
    y0 = centre_y - yx * centre_x - yy * centre_y + active * _signed(draws, "shift_y") * (recipe.shift * height)
    zero = tf.zeros_like(angle)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([xx, xy, x0, yx, yy, y0, zero, zero], axis=1),
        output_shape=[height, width],
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )


def _light(images, draws, recipe):
    """Contrast about the image's own mean, then brightness."""
    factor = tf.reshape(1.0 + _signed(draws, "contrast") * recipe.contrast, [-1, 1, 1, 1])
    offset = tf.reshape(_signed(draws, "brightness") * (255.0 * recipe.brightness), [-1, 1, 1, 1])
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return tf.clip_by_value((images - mean) * factor + mean + offset, 0.0, 255.0)


def _erase(images, draws, recipe):
    """A rectangle of 2 % (to `erase_most`) of the area and aspect 1:3 to 3:1 becomes one gray (arXiv 1708.04896)."""
    height, width = images.shape[1], images.shape[2]
    area = 0.02 + (recipe.erase_most - 0.02) * _draw(draws, "erase_area")
    aspect = tf.exp(_signed(draws, "erase_aspect") * 1.0986)
    part_y = tf.minimum(tf.sqrt(area * aspect), 1.0) * height
    part_x = tf.minimum(tf.sqrt(area / aspect), 1.0) * width
    top = _draw(draws, "erase_y") * (height - part_y)
    left = _draw(draws, "erase_x") * (width - part_x)

    def within(size, start, length):
        place = tf.range(size, dtype=tf.float32)[None, :]
        return (place >= start[:, None]) & (place < (start + length)[:, None])

    chosen = _draw(draws, "erase") < recipe.erase
    hit = within(height, top, part_y)[:, :, None] & within(width, left, part_x)[:, None, :] & chosen[:, None, None]
    value = tf.reshape(_draw(draws, "erase_value") * 255.0, [-1, 1, 1, 1])
    return tf.where(hit[..., None], value, images)
