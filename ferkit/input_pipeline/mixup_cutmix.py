"""Mixup and CutMix: blend a row and its target with a partner. All random numbers are arguments."""

import math

import numpy as np
import tensorflow as tf

from ferkit.input_pipeline.epoch_plan import DRAWS
from ferkit.recipes.recipe import Recipe


def is_mixed(random: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Which rows are mixed: bool tensor ``(batch,)``; `random` as in ``mix``."""
    return random[:, DRAWS.index("mix")] < recipe.mix_probability


def mix(
    images: tf.Tensor,
    partners: tf.Tensor,
    random: tf.Tensor,
    mix_lambdas: tf.Tensor,
    recipe: Recipe,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Blend images with their partners.

    Args:
        images: float32 tensor ``(batch, height, width, channels)`` in [0, 255], augmented.
        partners: the same shape.
        random: float32 tensor ``(batch, len(DRAWS))`` in [0, 1); see ``epoch_plan``.
        mix_lambdas: float32 tensor ``(batch, 2)`` in [0, 1]: lambda of mixup and of CutMix.
        recipe: hyperparameters. If both alphas are above 0, each row draws one of the two methods.

    Returns:
        The images, and the weight of each row's own target, float32 ``(batch,)`` in [0, 1]: 1 if
        nothing is mixed in; lambda for mixup; for CutMix the fraction of the area that remains,
        which the image's border makes larger than lambda.

    Reference:
        - mixup, arXiv 1710.09412, equation 1 of section 2. CutMix, arXiv 1905.04899, equations 1
        and 2.
    """
    mixed, weights = tf.numpy_function(
        lambda a, b, c, d, e: _mix(a, b, c, d, e, recipe),
        [images, partners, random, mix_lambdas, is_mixed(random, recipe)],
        (tf.float32, tf.float32),
    )
    return tf.ensure_shape(mixed, images.shape), tf.ensure_shape(weights, (None,))


def _mix(
    images: np.ndarray,
    partners: np.ndarray,
    random: np.ndarray,
    mix_lambdas: np.ndarray,
    chosen: np.ndarray,
    recipe: Recipe,
) -> tuple[np.ndarray, np.ndarray]:
    """``mix`` on arrays; `chosen` is ``is_mixed``."""
    images, weights = images.copy(), np.ones(len(images), np.float32)
    height, width = images.shape[1:3]
    kind, cut_x, cut_y = (random[:, DRAWS.index(name)] for name in ("mix_kind", "cut_x", "cut_y"))
    cuts = kind < 0.5 if recipe.mixup and recipe.cutmix else np.full(len(images), recipe.cutmix > 0)
    for row in np.flatnonzero(chosen):
        if cuts[row]:
            rows, columns = cut_box(
                height, width, float(mix_lambdas[row, 1]), float(cut_x[row]), float(cut_y[row])
            )
            images[row, rows, columns] = partners[row, rows, columns]
            weights[row] = 1.0 - (rows.stop - rows.start) * (columns.stop - columns.start) / (
                height * width
            )
        else:
            weights[row] = mix_lambdas[row, 0]
            images[row] = weights[row] * images[row] + (1 - weights[row]) * partners[row]
    return images, weights


def cut_box(height: int, width: int, mix_lambda: float, x: float, y: float) -> tuple[slice, slice]:
    """CutMix's box: rows and columns that come from the partner.

    Its sides are those of the image times sqrt(1 - lambda), rounded down to pixels. Its center is
    anywhere in the image (`x`, `y` in [0, 1)), and parts outside the image are cut off.

    Example:
        >>> cut_box(8, 8, 0.75, 0.5, 0.0)
        (slice(0, 2, None), slice(2, 6, None))
    """

    def extent(size: int, center: float) -> slice:
        side = int(size * math.sqrt(1.0 - mix_lambda))
        start = int(size * center) - side // 2
        return slice(max(start, 0), min(start + side, size))

    return extent(height, y), extent(width, x)
