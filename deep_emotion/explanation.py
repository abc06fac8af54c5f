"""Last feature map of a ``DeepEmotion``, with gradients, and its position on the face."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops


def feature_tap(
    model: keras.Model,
) -> Callable[[keras.KerasTensor], tuple[dict[str, keras.KerasTensor], keras.KerasTensor]]:
    """A function from pixels to (feature maps by name, logits) through which gradients flow.

    The only map is "features", the last one with spatial positions. For "paper" it is the input of
    the transformer, which has the geometry of the face. The other variants warp the face first;
    their map is the input of the pooling or dense layers.

    Args:
        model: a ``DeepEmotion``.

    Returns:
        A function of pixels ``(n, height, width, channels)``.
    """
    inner = keras.Model(model.inputs, [_last_map(model), model.outputs[0]])

    def run(pixels: keras.KerasTensor) -> tuple[dict[str, keras.KerasTensor], keras.KerasTensor]:
        features, logits = inner(pixels, training=False)
        return {"features": features}, logits

    return run


def feature_extractor(model: keras.Model) -> tuple[keras.Model, float]:
    """A model from the input of the feature extractor to the last map, and its middle gray.

    That input is the face for "paper", and the warped and scaled face for the other variants.
    """
    if model.variant == "paper":
        return keras.Model(model.inputs, _last_map(model)), 127.5
    return keras.Model(model.get_layer("transformer").output, _last_map(model)), 0.0


def map_to_face(model: keras.Model, pixels: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Move maps from the warped face to the original face: the inverse of the transformer's warp.

    Args:
        model: a ``DeepEmotion``.
        pixels: ``(n, height, width, channels)``.
        maps: float ``(n, height, width)``, in the geometry of the feature extractor's input.

    Returns:
        float, the same shape; 0 where the transformer does not sample the face.
    """
    if model.variant == "paper":
        return maps
    theta = keras.Model(model.inputs, model.get_layer("localization_theta").output)
    matrices = ops.convert_to_numpy(
        theta(ops.convert_to_tensor(np.asarray(pixels, "float32")))
    ).reshape(-1, 2, 3)
    height, width = maps.shape[1:]
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    positions = np.stack([x.ravel(), y.ravel()])
    moved = []
    for values, matrix in zip(maps, matrices, strict=True):
        # theta maps a position in the warped face to the position that it is sampled from.
        u, v = np.linalg.pinv(matrix[:, :2].astype(float)) @ (positions - matrix[:, 2:])
        read = _read(values, (u + 1) / 2 * (width - 1), (v + 1) / 2 * (height - 1))
        moved.append(read.reshape(height, width))
    return np.stack(moved) if moved else maps


def _last_map(model: keras.Model) -> keras.KerasTensor:
    transformer = model.get_layer("transformer")
    return transformer.input[0] if model.variant == "paper" else model.get_layer("features").input


def _read(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear interpolation at pixels (x, y); 0 outside the map."""
    padded = np.pad(values, 1)
    x, y = np.clip(x + 1, 0, padded.shape[1] - 1), np.clip(y + 1, 0, padded.shape[0] - 1)
    left = np.minimum(x.astype(int), padded.shape[1] - 2)
    top = np.minimum(y.astype(int), padded.shape[0] - 2)
    a, b = x - left, y - top
    upper = padded[top, left] * (1 - a) + padded[top, left + 1] * a
    lower = padded[top + 1, left] * (1 - a) + padded[top + 1, left + 1] * a
    return upper * (1 - b) + lower * b
