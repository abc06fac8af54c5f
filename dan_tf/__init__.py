"""DAN (arXiv 2109.07270) for Keras 3.

Names are imported on first use, so that ``import dan_tf`` is quick.
"""

import importlib
from typing import Any

_HOMES = {
    "DAN": "network",
    "DANTraining": "network",
    "SumOfHeads": "network",
    "SpatialAttention": "attention",
    "ChannelAttention": "attention",
    "CrossAttentionHead": "attention",
    "HeadFusion": "attention",
    "BatchNormalization": "normalization",
    "AffinityLoss": "losses",
    "CenterLoss": "losses",
    "PartitionLoss": "losses",
    "BACKBONES": "backbone",
    "build_backbone": "backbone",
    "ConvNeXtBlock": "backbone.convnext",
    "RECIPES": "recipes",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dan_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
