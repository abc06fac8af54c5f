"""Deep-Emotion (arXiv 1902.01019) for Keras 3.

Importing the package registers its classes, so that Keras can load its saved models.

Example:
    >>> import deep_emotion, keras
    >>> model = keras.models.load_model("deep_emotion-fer2013.keras")
"""

from model_presets.model import upload_preset

from .keyed_dropout import KeyedDropout
from .network import DeepEmotion, IdentityTheta
from .recipes import RECIPES
from .transformer import SpatialTransformer, affine_grid, bilinear_sample, spatial_transform

__all__ = [
    "RECIPES",
    "DeepEmotion",
    "IdentityTheta",
    "KeyedDropout",
    "SpatialTransformer",
    "affine_grid",
    "bilinear_sample",
    "spatial_transform",
    "upload_preset",
]
