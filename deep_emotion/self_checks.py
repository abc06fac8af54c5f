"""Checks of this package against hand-computed values, for the command `verify`.

Each check returns what it found, or raises ValueError.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from .health import STILL, theta_spread
from .transformer import IDENTITY_THETA, spatial_transform

RAMP = [[0.0, 1.0, 2.0], [10.0, 11.0, 12.0], [20.0, 21.0, 22.0]]


def _warp(theta: Sequence[float], image: Sequence[Sequence[float]] = RAMP) -> np.ndarray:
    images = ops.convert_to_tensor(np.array(image, "float32")[None, :, :, None])
    thetas = ops.convert_to_tensor(np.array([theta], "float32"))
    return ops.convert_to_numpy(spatial_transform(images, thetas))[0, :, :, 0]


def _expect(received: ArrayLike, expected: ArrayLike, tolerance: float = 1e-5) -> str:
    error = float(np.abs(np.asarray(received) - np.asarray(expected)).max())
    if not error <= tolerance:
        raise ValueError(
            f"expected {np.asarray(expected).tolist()}, received {np.asarray(received).tolist()}"
        )
    return f"largest difference {error:.1e}"


def identity_transform() -> str:
    """The identity theta returns the image."""
    return _expect(_warp(IDENTITY_THETA), RAMP)


def shifted_transform() -> str:
    """A shift by one pixel to the right reads the right neighbor, and zero outside."""
    return _expect(_warp([1, 0, 1, 0, 1, 0]), [[1, 2, 0], [11, 12, 0], [21, 22, 0]])


def half_pixel_transform() -> str:
    """A shift by half a pixel averages neighbors, and fades to zero outside."""
    return _expect(_warp([1, 0, 0.5, 0, 1, 0]), [[0.5, 1.5, 1], [10.5, 11.5, 6], [20.5, 21.5, 11]])


def rotated_transform() -> str:
    """A rotation by 90 degrees moves the corners."""
    return _expect(_warp([0, -1, 0, 1, 0, 0]), [[2, 12, 22], [1, 11, 21], [0, 10, 20]])


def model_penalty(model: keras.Model) -> str:
    """The penalty is lambda times the squared weights of the last dense layers.

    These are two layers, and one in "residual".
    """
    kernels = [layer.kernel for layer in model.layers if layer.name in ("dense", "logits")]
    by_hand = model.fc_penalty * sum(
        float((keras.ops.convert_to_numpy(kernel).astype("float64") ** 2).sum())
        for kernel in kernels
    )
    received = float(sum(model.losses)) if model.losses else 0.0
    return _expect(received, by_hand, tolerance=1e-4 * max(by_hand, 1e-6))


def transformer_moves(model: keras.Model) -> str:
    """The transformer's theta is finite; says whether it differs between images."""
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 255, (64, 6, 6, model.channels)) * rng.uniform(0.1, 1, (64, 1, 1, 1))
    size = model.image_size
    images = ops.image.resize(ops.convert_to_tensor(noise, "float32"), (size, size))
    spread = theta_spread(model, ops.convert_to_numpy(images))
    if not np.isfinite(spread):
        raise ValueError("theta is not finite")
    if spread < STILL:
        return "theta is the same for all images: untrained, or a transformer that does not work"
    return f"theta's standard deviation over 64 random images is {spread:.3f}"


# Checks of the package, and checks of a model of this package.
SELF_CHECKS = (identity_transform, shifted_transform, half_pixel_transform, rotated_transform)
MODEL_SELF_CHECKS = (model_penalty, transformer_moves)
