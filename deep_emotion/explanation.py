"""What an explanation of a ``DeepEmotion`` needs: its last map, with a gradient, and where on the face a place of it lies."""

import keras
import numpy as np
from keras import ops


def feature_tap(model):
    """A function from pixels ``(n, height, width, channels)`` to ({"features": map}, logits), through which gradients flow.

    The map is the last one with places: of "paper" that before the transformer, which lies on the face as it is; of the others,
    which warp the face first, that before the average or the dense layers.
    """
    inner = keras.Model(model.inputs, [_last_map(model), model.outputs[0]])

    def run(pixels):
        features, logits = inner(pixels, training=False)
        return {"features": features}, logits

    return run


def feature_extractor(model):
    """A model from what the features are made of (the face, or the warped and scaled face) to the last map; its middle gray."""
    if model.variant == "paper":
        return keras.Model(model.inputs, _last_map(model)), 127.5
    return keras.Model(model.get_layer("transformer").output, _last_map(model)), 0.0


def map_to_face(model, pixels, maps: np.ndarray) -> np.ndarray:
    """Maps of what the features are made of, moved to where that lies on the face: the transformer's warp undone.

    Args:
        model: a ``DeepEmotion``.
        pixels: ``(n, height, width, channels)``.
        maps: float ``(n, height, width)``.

    Returns:
        float, the same shape; 0 where the transformer did not look.
    """
    if model.variant == "paper":
        return maps
    theta = keras.Model(model.inputs, model.get_layer("localization_theta").output)
    matrices = ops.convert_to_numpy(
        theta(ops.convert_to_tensor(np.asarray(pixels, "float32")))
    ).reshape(-1, 2, 3)
    height, width = maps.shape[1:]
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    places = np.stack([x.ravel(), y.ravel()])
    moved = []
    for values, matrix in zip(maps, matrices, strict=True):
        # theta maps a place of the warped face to the place of the face that it shows.
        u, v = np.linalg.pinv(matrix[:, :2].astype(float)) @ (places - matrix[:, 2:])
        moved.append(
            _read(values, (u + 1) / 2 * (width - 1), (v + 1) / 2 * (height - 1)).reshape(
                height, width
            )
        )
    return np.stack(moved) if moved else maps


def _last_map(model):
    transformer = model.get_layer("transformer")
    return transformer.input[0] if model.variant == "paper" else model.get_layer("features").input


def _read(values, x, y):
    """Bilinear reading at pixels (x, y); 0 outside."""
    padded = np.pad(values, 1)
    x, y = np.clip(x + 1, 0, padded.shape[1] - 1), np.clip(y + 1, 0, padded.shape[0] - 1)
    left, top = (
        np.minimum(x.astype(int), padded.shape[1] - 2),
        np.minimum(y.astype(int), padded.shape[0] - 2),
    )
    a, b = x - left, y - top
    upper = padded[top, left] * (1 - a) + padded[top, left + 1] * a
    lower = padded[top + 1, left] * (1 - a) + padded[top + 1, left + 1] * a
    return upper * (1 - b) + lower * b
