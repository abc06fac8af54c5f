"""Feature maps of a ``DAN``, of the backbone and of each head, with gradients."""

from collections.abc import Callable

import keras
import numpy as np


def feature_tap(
    model: keras.Model,
) -> Callable[[keras.KerasTensor], tuple[dict[str, keras.KerasTensor], keras.KerasTensor]]:
    """A function from pixels to (feature maps by name, logits) through which gradients flow.

    The maps are "features", the output of the backbone, which is the input of all heads; and
    "head0" and so on, the output of each head's spatial attention. The reference's Grad-CAM uses
    the latter.

    Args:
        model: a ``DAN``.

    Returns:
        A function of pixels ``(n, height, width, channels)``.
    """
    if not model.num_heads:
        inner = keras.Model(model.inputs, [model.get_layer("pooled").input, model.outputs[0]])

        def plain(
            pixels: keras.KerasTensor,
        ) -> tuple[dict[str, keras.KerasTensor], keras.KerasTensor]:
            features, logits = inner(pixels, training=False)
            return {"features": features}, logits

        return plain
    heads = [model.get_layer(f"head{k}") for k in range(model.num_heads)]
    backbone = keras.Model(model.inputs, heads[0].input)
    fusion, total, dense, logits = (
        model.get_layer(name) for name in ("fusion", "sum_of_heads", "dense", "logits")
    )

    def run(pixels: keras.KerasTensor) -> tuple[dict[str, keras.KerasTensor], keras.KerasTensor]:
        features = backbone(pixels, training=False)
        attended = [head.spatial(features, training=False) for head in heads]
        vectors = [
            head.channel(values, training=False)
            for head, values in zip(heads, attended, strict=True)
        ]
        maps = {"features": features} | {f"head{k}": values for k, values in enumerate(attended)}
        return maps, logits(dense(total(fusion(vectors))), training=False)

    return run


def feature_extractor(model: keras.Model) -> tuple[keras.Model, float]:
    """A model from the face to the backbone's map, and its middle gray."""
    next_layer = model.get_layer("head0" if model.num_heads else "pooled")
    return keras.Model(model.inputs, next_layer.input), 127.5


def map_to_face(model: keras.Model, pixels: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """The maps, unchanged: DAN's feature maps have the geometry of the face."""
    return maps
