"""Checks of this package against values computed by hand, for `verify`. Each returns what it found, or raises ValueError."""

import keras
import numpy as np
from keras import ops

from .transformer import IDENTITY_THETA, spatial_transform

RAMP = [[0.0, 1.0, 2.0], [10.0, 11.0, 12.0], [20.0, 21.0, 22.0]]


def _warp(theta, image=RAMP):
    images = ops.convert_to_tensor(np.array(image, "float32")[None, :, :, None])
    thetas = ops.convert_to_tensor(np.array([theta], "float32"))
    return ops.convert_to_numpy(spatial_transform(images, thetas))[0, :, :, 0]


def _expect(received, expected, tolerance=1e-5):
    error = float(np.abs(np.asarray(received) - np.asarray(expected)).max())
    if not error <= tolerance:
        raise ValueError(
            f"expected {np.asarray(expected).tolist()}, received {np.asarray(received).tolist()}"
        )
    return f"largest difference {error:.1e}"


def identity_transform():
    """The identity theta returns the image."""
    return _expect(_warp(IDENTITY_THETA), RAMP)


def shifted_transform():
    """A shift by one pixel to the right reads the right neighbour, and zero outside."""
    return _expect(_warp([1, 0, 1, 0, 1, 0]), [[1, 2, 0], [11, 12, 0], [21, 22, 0]])


def half_pixel_transform():
    """A shift by half a pixel averages neighbours, and fades into the zero outside."""
    return _expect(_warp([1, 0, 0.5, 0, 1, 0]), [[0.5, 1.5, 1], [10.5, 11.5, 6], [20.5, 21.5, 11]])


def rotated_transform():
    """A quarter turn moves the corners."""
    return _expect(_warp([0, -1, 0, 1, 0, 0]), [[2, 12, 22], [1, 11, 21], [0, 10, 20]])


def model_penalty(model):
    """The penalty is lambda times the squared weights of the last dense layers, two of them but in "residual"."""
    kernels = [layer.kernel for layer in model.layers if layer.name in ("dense", "logits")]
    by_hand = model.fc_penalty * sum(
        float((keras.ops.convert_to_numpy(kernel).astype("float64") ** 2).sum())
        for kernel in kernels
    )
    received = float(sum(model.losses)) if model.losses else 0.0
    return _expect(received, by_hand, tolerance=1e-4 * max(by_hand, 1e-6))


# Checks of the package, and checks that take a model of it.
SELF_CHECKS = (identity_transform, shifted_transform, half_pixel_transform, rotated_transform)
MODEL_SELF_CHECKS = (model_penalty,)
