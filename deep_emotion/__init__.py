"""Deep-Emotion (arXiv 1902.01019) for Keras 3.

Names are imported on first use, so that ``import deep_emotion`` is quick.
"""

import importlib
from typing import Any

_HOMES = {
    "DeepEmotion": "network",
    "IdentityTheta": "network",
    "KeyedDropout": "keyed_dropout",
    "SpatialTransformer": "transformer",
    "affine_grid": "transformer",
    "bilinear_sample": "transformer",
    "spatial_transform": "transformer",
    "RECIPES": "recipes",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'deep_emotion' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
