"""What a prediction is based on: activation maps, occlusion maps, and checks of these maps."""

from ferkit.explanation.faithfulness import deletion_and_insertion, randomization
from ferkit.explanation.grad_cam import METHODS, Explainer
from ferkit.explanation.occlusion import occlusion_maps

__all__ = ["METHODS", "Explainer", "deletion_and_insertion", "occlusion_maps", "randomization"]
