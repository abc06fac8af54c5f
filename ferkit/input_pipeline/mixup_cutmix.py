"""Mixup and CutMix: a row is blended with its partner, and so is its target. All chance comes in as numbers."""

import math

import numpy as np
import tensorflow as tf

from ferkit.input_pipeline.epoch_plan import DRAWS


def is_mixed(draws, recipe):
    """Which rows are mixed: bool tensor ``(batch,)``; `draws` as in ``mix``."""
    return draws[:, DRAWS.index("mix")] < recipe.mix_probability


def mix(images, partners, draws, shares, recipe):
    """Blend images with their partners.

    Args:
        images, partners: float32 tensors ``(batch, height, width, channels)`` in [0, 255], augmented.
        draws: float32 tensor ``(batch, len(DRAWS))`` in [0, 1); see ``plan``.
        shares: float32 tensor ``(batch, 2)`` in [0, 1]: lambda of mixup and of CutMix.
        recipe: a ``Recipe``. Where both its alphas are above 0, each row tosses which of the two it gets.

    Returns:
        The images, and each one's own share of its target, float32 ``(batch,)`` in [0, 1]: 1 where nothing is mixed in, for
        mixup lambda, for CutMix the share of the area that remained, which the image's border makes larger than lambda.

    Reference:
        - mixup, arXiv 1710.09412, equation 1 of section 2. CutMix, arXiv 1905.04899, equations 1 and 2.
    """
    mixed, own = tf.numpy_function(
        lambda *arrays: _mix(*arrays, recipe),
        [images, partners, draws, shares, is_mixed(draws, recipe)],
        (tf.float32, tf.float32),
    )
    return tf.ensure_shape(mixed, images.shape), tf.ensure_shape(own, (None,))


def _mix(images, partners, draws, shares, chosen, recipe):
    """``mix`` on arrays; `chosen` is ``is_mixed``."""
    images, own = images.copy(), np.ones(len(images), np.float32)
    height, width = images.shape[1:3]
    kind, cut_x, cut_y = (draws[:, DRAWS.index(name)] for name in ("mix_kind", "cut_x", "cut_y"))
    cuts = kind < 0.5 if recipe.mixup and recipe.cutmix else np.full(len(images), recipe.cutmix > 0)
    for row in np.flatnonzero(chosen):
        if cuts[row]:
            rows, columns = cut_box(
                height, width, float(shares[row, 1]), float(cut_x[row]), float(cut_y[row])
            )
            images[row, rows, columns] = partners[row, rows, columns]
            own[row] = 1.0 - (rows.stop - rows.start) * (columns.stop - columns.start) / (
                height * width
            )
        else:
            own[row] = shares[row, 0]
            images[row] = own[row] * images[row] + (1 - own[row]) * partners[row]
    return images, own


def cut_box(height: int, width: int, share: float, x: float, y: float) -> tuple[slice, slice]:
    """CutMix's box: rows and columns that come from the partner.

    Its sides are those of the image times sqrt(1 - share), rounded down to whole pixels; its centre is anywhere in the image
    (`x`, `y` in [0, 1)), and what would lie outside is cut off.

    Example:
        >>> cut_box(8, 8, 0.75, 0.5, 0.0)
        (slice(0, 2, None), slice(2, 6, None))
    """

    def along(size, place):
        side = int(size * math.sqrt(1.0 - share))
        start = int(size * place) - side // 2
        return slice(max(start, 0), min(start + side, size))

    return along(height, y), along(width, x)
