"""Why the model said so: class activation maps, occlusion, and checks that they mean something."""

from .activation import METHODS, Explainer
from .checks import deletion_and_insertion, randomization
from .occlusion import occlusion_maps

__all__ = ["METHODS", "Explainer", "deletion_and_insertion", "occlusion_maps", "randomization"]
