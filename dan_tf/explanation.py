"""What an explanation of a ``DAN`` needs: the backbone's map and each head's, with gradients."""

import keras
import numpy as np


def feature_tap(model):
    """A function from pixels ``(n, height, width, channels)`` to (maps by name, logits), through which gradients flow.

    The maps: "features", the backbone's, which all heads read; "head0" and so on, what the spatial attention of a head leaves of
    it, which is what the reference's Grad-CAM looks at.
    """
    if not model.num_heads:
        inner = keras.Model(model.inputs, [model.get_layer("pooled").input, model.outputs[0]])

        def plain(pixels):
            features, logits = inner(pixels, training=False)
            return {"features": features}, logits

        return plain
    heads = [model.get_layer(f"head{k}") for k in range(model.num_heads)]
    backbone = keras.Model(model.inputs, heads[0].input)
    fusion, total, dense, logits = (
        model.get_layer(name) for name in ("fusion", "sum_of_heads", "dense", "logits")
    )

    def run(pixels):
        features = backbone(pixels, training=False)
        attended = [head.spatial(features, training=False) for head in heads]
        vectors = [
            head.channel(one, training=False) for head, one in zip(heads, attended, strict=True)
        ]
        maps = {"features": features} | {f"head{k}": one for k, one in enumerate(attended)}
        return maps, logits(dense(total(fusion(vectors))), training=False)

    return run


def feature_extractor(model):
    """A model from the face to the backbone's map; its middle gray."""
    return keras.Model(
        model.inputs, model.get_layer("head0" if model.num_heads else "pooled").input
    ), 127.5


def map_to_face(model, pixels, maps: np.ndarray) -> np.ndarray:
    """Maps lie on the face as they are."""
    return maps
