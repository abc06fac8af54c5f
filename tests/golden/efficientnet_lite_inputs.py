"""Weights and images of the golden values for EfficientNet-Lite0, drawn by seed: made here for the
script and the tests alike.

The weights are a state dict in PyTorch's names and layout, without the classifier.
"""

import numpy as np

# Kernel size, channels inside, channels before and after, of each block.
BLOCKS = (
    (3, 32, 32, 16),
    (3, 96, 16, 24),
    (3, 144, 24, 24),
    (5, 144, 24, 40),
    (5, 240, 40, 40),
    (3, 240, 40, 80),
    (3, 480, 80, 80),
    (3, 480, 80, 80),
    (5, 480, 80, 112),
    (5, 672, 112, 112),
    (5, 672, 112, 112),
    (5, 672, 112, 192),
    (5, 1152, 192, 192),
    (5, 1152, 192, 192),
    (5, 1152, 192, 192),
    (3, 1152, 192, 320),
)
# Side of the images and of what the network gets: an even and an odd side, and an enlarged one.
CASES = {"even": (48, 48), "odd": (45, 45), "enlarged": (32, 64)}
BATCH = 4
CHANNELS = slice(None, None, 8)  # of the feature map, those that the golden file keeps
MOVED = ("_blocks.6._bn1", "_bn1")  # batch norms whose statistics after a step it keeps
GRADIENTS = ("_conv_stem.weight", "_blocks.4._depthwise_conv.weight", "_blocks.9._bn0.weight")


def _shapes():
    shapes = {"_conv_stem.weight": (32, 3, 3, 3), **_norm("_bn0", 32)}
    for index, (kernel, width, inputs, outputs) in enumerate(BLOCKS):
        prefix = f"_blocks.{index}."
        if width != inputs:
            shapes |= {f"{prefix}_expand_conv.weight": (width, inputs, 1, 1)}
            shapes |= _norm(f"{prefix}_bn0", width)
        shapes |= {f"{prefix}_depthwise_conv.weight": (width, 1, kernel, kernel)}
        shapes |= _norm(f"{prefix}_bn1", width)
        shapes |= {f"{prefix}_project_conv.weight": (outputs, width, 1, 1)}
        shapes |= _norm(f"{prefix}_bn2", outputs)
    return shapes | {"_conv_head.weight": (1280, 320, 1, 1), **_norm("_bn1", 1280)}


def _norm(name, channels):
    kinds = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{kind}": (channels,) for kind in kinds}


def state_dict():
    """Arrays by PyTorch's names, with PyTorch's counts of batches."""
    numbers = np.random.RandomState(18)
    state = {}
    for name, shape in _shapes().items():
        if len(shape) == 4:
            array = numbers.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)
        elif name.endswith(("_var", "weight")):
            array = numbers.uniform(0.5, 1.5, shape)
        else:
            array = numbers.normal(0, 0.3, shape)
        state[name] = array.astype("float32")
        if name.endswith("running_var"):
            state[name.replace("running_var", "num_batches_tracked")] = np.array(7)
    return state


def images(side):
    """``(BATCH, side, side, 1)`` in [0, 255]."""
    shape = (BATCH, side, side, 1)
    return np.random.RandomState(side).uniform(0, 255, shape).astype("float32")


def cotangent(shape):
    """What the gradients are taken of is sum(feature map * cotangent), channels last."""
    return np.random.RandomState(1).normal(0, 1, tuple(shape)).astype("float32")
