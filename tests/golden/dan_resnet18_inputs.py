"""Weights and images of the golden values for the reference DAN on ResNet-18, drawn by seed: made
here for the script and the tests alike.

The weights are a state dict in the reference's names and layout.
"""

import numpy as np

CLASSES, HEADS = 7, 4
CHANNELS = (64, 128, 256, 512)
SIDE, BATCH = 224, 2
_SMALL_NORMS = ("conv_3x3.1.weight", "conv_1x3.1.weight", "conv_3x1.1.weight")


def _shapes():
    shapes = {"features.0.weight": (64, 3, 7, 7), **_norm("features.1", 64)}
    inputs = 64
    for stage, channels in enumerate(CHANNELS):
        for block in range(2):
            name = f"features.{stage + 4}.{block}"
            shapes |= {f"{name}.conv1.weight": (channels, inputs, 3, 3)}
            shapes |= _norm(f"{name}.bn1", channels)
            shapes |= {f"{name}.conv2.weight": (channels, channels, 3, 3)}
            shapes |= _norm(f"{name}.bn2", channels)
            if inputs != channels:
                shapes |= {f"{name}.downsample.0.weight": (channels, inputs, 1, 1)}
                shapes |= _norm(f"{name}.downsample.1", channels)
            inputs = channels
    for head in range(HEADS):
        shapes |= _head(f"cat_head{head}")
    shapes |= {"fc.weight": (CLASSES, 512), "fc.bias": (CLASSES,)}
    return shapes | _norm("bn", CLASSES)


def _head(name):
    convolutions = {
        "conv1x1": (256, 512, 1, 1),
        "conv_3x3": (512, 256, 3, 3),
        "conv_1x3": (512, 256, 1, 3),
        "conv_3x1": (512, 256, 3, 1),
    }
    shapes = {}
    for part, shape in convolutions.items():
        shapes |= {f"{name}.sa.{part}.0.weight": shape, f"{name}.sa.{part}.0.bias": shape[:1]}
        shapes |= _norm(f"{name}.sa.{part}.1", shape[0])
    shapes |= {f"{name}.ca.attention.0.weight": (32, 512), f"{name}.ca.attention.0.bias": (32,)}
    shapes |= _norm(f"{name}.ca.attention.1", 32)
    return shapes | {
        f"{name}.ca.attention.3.weight": (512, 32),
        f"{name}.ca.attention.3.bias": (512,),
    }


def _norm(name, channels):
    kinds = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{kind}": (channels,) for kind in kinds}


def state_dict():
    """Arrays by the reference's names, with PyTorch's counts of batches."""
    numbers = np.random.RandomState(19)
    state = {}
    for name, shape in _shapes().items():
        if len(shape) > 1:
            array = numbers.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)
            array *= 0.05 if name == "fc.weight" else 1.0  # else the logits are far from 0
        elif name.endswith(_SMALL_NORMS):  # else the attention map, a sum of 512, is huge
            array = numbers.uniform(0.001, 0.003, shape)
        elif name.endswith(("_var", "weight")):
            array = numbers.uniform(0.5, 1.5, shape)
        else:
            array = numbers.normal(0, 0.003 if ".sa.conv_" in name else 0.3, shape)
        state[name] = array.astype("float32")
        if name.endswith("running_var"):
            state[name.replace("running_var", "num_batches_tracked")] = np.array(7)
    return state


def images(channels=3):
    """``(BATCH, SIDE, SIDE, channels)`` in [0, 255]."""
    shape = (BATCH, SIDE, SIDE, channels)
    return np.random.RandomState(7).uniform(0, 255, shape).astype("float32")
