"""What a prediction is based on: activation maps, occlusion maps, and checks of these maps.

Names are imported on first use, because most of them need Keras and occlusion maps do not.
"""

from typing import Any

from ferkit.process import imported

_MODULES = {
    "METHODS": "grad_cam",
    "Explainer": "grad_cam",
    "deletion_and_insertion": "faithfulness",
    "occlusion_maps": "occlusion",
    "randomization": "faithfulness",
}
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return imported(f"{__name__}.{_MODULES[name]}:{name}")
