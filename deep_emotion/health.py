"""Whether the spatial transformer does anything: how much theta differs between faces."""

import keras
import numpy as np

from .visualization import transformer_theta

STILL = 0.001  # below this spread, the window moves by less than a twentieth of a pixel of 48


def theta_spread(model: keras.Model, images: np.ndarray) -> float:
    """Standard deviation of theta over faces, mean of its six numbers.

    Args:
        model: a ``DeepEmotion``.
        images: ``(n, height, width, channels)`` of the model's input size, in [0, 255].

    Returns:
        0 if the transformer treats all faces alike. In units of half the image's width: 0.02 moves
        the window by about half a pixel of 48.
    """
    return float(transformer_theta(model, images).std(axis=0).mean())


def measurements(model: keras.Model, images: np.ndarray) -> dict[str, str]:
    """What a model card reports about this model on some faces: name -> value."""
    spread = theta_spread(model, images)
    value = f"{spread:.3f}" if spread >= STILL else f"{spread:.0e}: it treats all faces alike"
    return {"standard deviation of the transformer's theta over faces": value}


def warnings(model: keras.Model, images: np.ndarray) -> list[str]:
    """Lines for the user at the end of a training, about what the loss does not show."""
    spread = theta_spread(model, images)
    if spread >= STILL:
        return []
    advice = "--theta_step 1" if model.variant == "residual" else "--optimizer adam"
    return [
        f"Warning: the spatial transformer treats all faces alike (theta's standard deviation over "
        f"faces is {spread:.0e}). Its localization network has not learned; try {advice}."
    ]
