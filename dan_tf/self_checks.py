"""Checks of this package against hand-computed values, for the command `verify`.

Each check returns what it found, or raises ValueError.
"""

import math

import keras
import numpy as np
from keras import ops

from .backbone import build_backbone
from .losses import AffinityLoss, CenterLoss, PartitionLoss

LABELS = np.array([0, 1], "int32")
FEATURES = np.array([[1.0, 0.0], [2.0, 1.0]], "float32")
# Each row of FEATURES is at distance 1 from the center of its class.
CENTERS = np.array([[0.0, 0.0], [2.0, 0.0]], "float32")
# Parameters without the classifier: Keras's count for ConvNeXt-Tiny, torchvision's for ResNet-18
# (11,689,512, of which the classifier has 513,000).
PARAMETERS = {"convnext_tiny": 27_820_128, "resnet18": 11_689_512 - 513_000}


def _expect(received: keras.KerasTensor, expected: float, tolerance: float = 1e-5) -> str:
    error = abs(float(received) - expected)
    if not error <= tolerance:
        raise ValueError(f"expected {expected:.6f}, received {float(received):.6f}")
    return f"{float(received):.6f}"


def _with_centers(loss: AffinityLoss | CenterLoss) -> AffinityLoss | CenterLoss:
    loss.centers.assign(CENTERS)
    return loss


def affinity_loss() -> str:
    """The affinity loss of two rows at distance 1, with centers of variance 2, is 1/2."""
    return _expect(_with_centers(AffinityLoss(2, 2))(LABELS, FEATURES), 0.5)


def center_loss() -> str:
    """The center loss of two rows at distance 1 is 1."""
    return _expect(_with_centers(CenterLoss(2, 2))(LABELS, FEATURES), 1.0)


def partition_loss() -> str:
    """The partition loss of two heads, 1 and 3, is log 2; of a single head it is 0."""
    _expect(PartitionLoss()(LABELS[:1], np.array([[[1.0]]], "float32")), 0.0)
    return _expect(
        PartitionLoss()(LABELS[:1], np.array([[[1.0], [3.0]]], "float32")), math.log(2.0)
    )


def backbone_sizes() -> str:
    """ConvNeXt-Tiny and ResNet-18 have the published parameter counts."""
    for name, expected in PARAMETERS.items():
        # PyTorch, the source of the count of ResNet-18, does not count batch norm's two moving
        # averages as parameters.
        trained = sum(
            math.prod(weight.shape) for weight in build_backbone(name, 32, 3).trainable_weights
        )
        if trained != expected:
            raise ValueError(f"{name}: expected {expected:,}, received {trained:,}")
    return ", ".join(f"{name} {count:,}" for name, count in PARAMETERS.items())


def heads_differ(model: keras.Model) -> str:
    """No two heads give the same output."""
    if model.num_heads < 2:
        return "fewer than two heads"
    images = np.random.default_rng(0).integers(
        0, 256, (4, model.image_size, model.image_size, model.channels)
    )
    heads = ops.convert_to_numpy(model.for_training()(images.astype("float32"))["heads"])
    pairs = [(a, b) for a in range(model.num_heads) for b in range(a)]
    least = min(np.abs(heads[:, a] - heads[:, b]).max() for a, b in pairs)
    if not least > 1e-6:
        raise ValueError(f"two heads are equal: the largest difference between them is {least}")
    return f"the two most alike differ by up to {least:.2g}"


# Checks of the package, and checks of a model of this package.
SELF_CHECKS = (affinity_loss, center_loss, partition_loss, backbone_sizes)
MODEL_SELF_CHECKS = (heads_differ,)
