"""DAN (arXiv 2109.07270) for Keras 3.

Importing the package registers its classes, so that Keras can load its saved models.

Example:
    >>> import dan_tf, keras
    >>> model = keras.models.load_model("dan-fer2013.keras")
"""

from model_presets.model import upload_preset

from .attention import ChannelAttention, CrossAttentionHead, HeadFusion, SpatialAttention
from .backbone import BACKBONES, build_backbone
from .backbone.convnext import ConvNeXtBlock
from .losses import AffinityLoss, CenterLoss, PartitionLoss
from .network import DAN, DANTraining, SumOfHeads
from .normalization import BatchNormalization
from .recipes import RECIPES
from .reference_checkpoint import REFERENCE_CLASSES, load_reference

__all__ = [
    "BACKBONES",
    "DAN",
    "RECIPES",
    "REFERENCE_CLASSES",
    "AffinityLoss",
    "BatchNormalization",
    "CenterLoss",
    "ChannelAttention",
    "ConvNeXtBlock",
    "CrossAttentionHead",
    "DANTraining",
    "HeadFusion",
    "PartitionLoss",
    "SpatialAttention",
    "SumOfHeads",
    "build_backbone",
    "load_reference",
    "upload_preset",
]
