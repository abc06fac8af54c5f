"""The spatial attention of DAN's heads, as numbers and as a picture."""

import keras
import numpy as np
from keras import ops

PANEL = 144  # smallest size of a face in the picture, in pixels
# From cold to hot: dark blue, purple, red, orange, pale yellow. Brightness rises throughout, so
# that the picture can also be read in gray.
HEAT = np.array(
    [[13, 8, 80], [110, 20, 130], [205, 50, 75], [250, 145, 30], [252, 250, 165]], np.float32
)


def attention_maps(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """The spatial attention of every head of a ``DAN``, the factor of its feature map.

    Args:
        model: a ``DAN``.
        images: ``(n, height, width, channels)`` of the model's input size, in [0, 255].

    Returns:
        float32 ``(n, heads, h, w)``, 0 or more, in the size of the backbone's feature map; without
        heads ``(n, 0, 1, 1)``.
    """
    if not model.num_heads:
        return np.zeros((len(images), 0, 1, 1), np.float32)
    heads = [model.get_layer(f"head{k}") for k in range(model.num_heads)]
    backbone = keras.Model(model.inputs, heads[0].input)
    features = backbone(ops.convert_to_tensor(np.asarray(images, "float32")), training=False)
    maps = [head.spatial.attention_map(features)[..., 0] for head in heads]
    return np.stack([ops.convert_to_numpy(ops.cast(values, "float32")) for values in maps], axis=1)


def attention_pictures(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """The face, and next to it the face under the attention of each head.

    Colors go from dark blue (least) to pale yellow (most). Each map is enlarged bilinearly and
    scaled to its own range: colors compare positions within one map, not heads or faces. A
    constant map is drawn in the coldest color.

    Args:
        model: a ``DAN``.
        images: uint8 ``(n, height, width, channels)`` of the model's input size.

    Returns:
        uint8 ``(n, H, W, 3)``, one picture per face; without heads no pictures, ``(0, H, W, 3)``.
    """
    if not model.num_heads or not len(images):
        return np.zeros((0, PANEL, PANEL, 3), np.uint8)
    size = max(PANEL, images.shape[1])
    pictures = []
    for image, maps in zip(images, attention_maps(model, images), strict=True):
        face = resize(np.asarray(image, np.float32), size)
        face = np.broadcast_to(face, (size, size, 3))
        shade = face.mean(axis=-1, keepdims=True)
        pictures.append(_beside(face, *(_overlay(shade, values) for values in maps)))
    return np.stack(pictures)


VISUALIZATIONS = {"attention": attention_pictures}


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Bilinear, aligned at pixel edges: ``(h, w, channels)`` to ``(size, size, channels)``."""
    for axis in (0, 1):
        length = image.shape[axis]
        position = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
        low = np.floor(position).astype(int)
        shape = [-1 if k == axis else 1 for k in range(3)]
        fraction = (position - low).astype(np.float32).reshape(shape)
        high = np.minimum(low + 1, length - 1)
        image = np.take(image, low, axis) * (1 - fraction) + np.take(image, high, axis) * fraction
    return image


def _overlay(shade: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A gray face ``(size, size, 1)``, tinted by a map ``(h, w)``."""
    spread = float(values.max() - values.min())
    # The spread of a constant map is rounding.
    flat = spread <= 1e-3 * max(float(np.abs(values).max()), 1e-12)
    heat = np.zeros_like(values) if flat else (values - values.min()) / spread
    heat = resize(heat[..., None], len(shade))[..., 0] * (len(HEAT) - 1)
    low = np.minimum(heat.astype(int), len(HEAT) - 2)
    color = HEAT[low] + (HEAT[low + 1] - HEAT[low]) * (heat - low)[..., None]
    return 0.5 * shade + 0.5 * color


def _beside(*panels: np.ndarray) -> np.ndarray:
    gap = np.full((len(panels[0]), 6, 3), 255.0, np.float32)
    parts = [part for panel in panels for part in (gap, panel)][1:]
    return np.clip(np.rint(np.concatenate(parts, axis=1)), 0, 255).astype(np.uint8)
