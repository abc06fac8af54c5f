"""Weights and inputs of the golden values for DAN, drawn by seed: made here for the script and the
tests alike.

A case is a dictionary of arrays in Keras's layout: "inputs" (and "inputs2" where there is a second
training step), and each weight under the name our layers give it.
"""

import zlib

import numpy as np

CONVNEXT = ((1, 1, 1, 1), (4, 8, 12, 16))  # blocks and channels of the four stages
RESNET = (6, 10)  # channels of the stages; the stem has those of the first
HEADS = 3
WIDTH = 6  # channels inside a head's spatial attention
SQUEEZED = 8  # units inside its channel attention
SPATIAL = ((3, 3), (1, 3), (3, 1))


def _norm(name, channels, moving=True):
    kinds = ("gamma", "beta", "moving_mean", "moving_variance") if moving else ("gamma", "beta")
    return {f"{name}/{kind}" if name else kind: (channels,) for kind in kinds}


def _block(prefix, channels):
    shapes = {"depthwise_kernel": (7, 7, channels, 1), "depthwise_bias": (channels,)}
    shapes |= {"norm_gamma": (channels,), "norm_beta": (channels,)}
    shapes |= {"expand_kernel": (channels, 4 * channels), "expand_bias": (4 * channels,)}
    shapes |= {
        "project_kernel": (4 * channels, channels),
        "project_bias": (channels,),
        "scale": (channels,),
    }
    return {prefix + name: shape for name, shape in shapes.items()}


def _convnext():
    depths, dims = CONVNEXT
    shapes = {
        "stem_conv/kernel": (4, 4, 3, dims[0]),
        "stem_conv/bias": (dims[0],),
        **_norm("stem_norm", dims[0], moving=False),
    }
    for stage, (depth, channels) in enumerate(zip(depths, dims, strict=True)):
        if stage:
            shapes |= _norm(f"down{stage}_norm", dims[stage - 1], moving=False)
            shapes |= {
                f"down{stage}_conv/kernel": (2, 2, dims[stage - 1], channels),
                f"down{stage}_conv/bias": (channels,),
            }
        for block in range(depth):
            shapes |= _block(f"stage{stage}_block{block}/", channels)
    return shapes | _norm("output_norm", dims[-1], moving=False)


def _resnet():
    shapes = {"stem/kernel": (7, 7, 3, RESNET[0]), **_norm("stem_norm", RESNET[0])}
    for stage, channels in enumerate(RESNET):
        for block in range(2):
            name, before = (
                f"stage{stage}_block{block}",
                RESNET[stage - 1] if stage and not block else channels,
            )
            shapes |= {
                f"{name}_conv1/kernel": (3, 3, before, channels),
                **_norm(f"{name}_conv1_norm", channels),
            }
            shapes |= {
                f"{name}_conv2/kernel": (3, 3, channels, channels),
                **_norm(f"{name}_conv2_norm", channels),
            }
            if stage and not block:
                shapes |= {
                    f"{name}_shortcut/kernel": (1, 1, before, channels),
                    **_norm(f"{name}_shortcut_norm", channels),
                }
    return shapes


def _spatial(prefix, channels):
    shapes = {
        f"{prefix}reduce/kernel": (1, 1, channels, WIDTH),
        **_norm(f"{prefix}reduce_norm", WIDTH),
    }
    for rows, columns in SPATIAL:
        shapes[f"{prefix}conv_{rows}x{columns}/kernel"] = (rows, columns, WIDTH, channels)
        shapes |= _norm(f"{prefix}norm_{rows}x{columns}", channels)
    return shapes


def _channel(prefix, channels):
    shapes = {f"{prefix}squeeze/kernel": (channels, SQUEEZED), **_norm(f"{prefix}norm", SQUEEZED)}
    return shapes | {
        f"{prefix}excite/kernel": (SQUEEZED, channels),
        f"{prefix}excite/bias": (channels,),
    }


def _head(prefix, channels):
    return _spatial(f"{prefix}spatial/", channels) | _channel(f"{prefix}channel/", channels)


def _dan(channels, classes):
    shapes = {}
    for head in range(HEADS):
        shapes |= _head(f"head{head}/", channels)
    return shapes | {"dense/kernel": (channels, classes), **_norm("logits", classes)}


def _model(inputs, weights, second=False):
    return {"inputs": inputs, **({"inputs2": inputs} if second else {}), **weights}


MODELS = {  # name: array name: shape
    "block_large": _model((2, 9, 8, 5), _block("", 5)),
    "block_small": _model((2, 3, 3, 5), _block("", 5)),
    "block_pixel": _model((4, 1, 2, 5), _block("", 5)),
    "convnext": _model((2, 64, 32, 3), _convnext()),
    "resnet": _model((4, 27, 22, 3), _resnet()),
    "norm_map": _model((4, 3, 2, 5), _norm("", 5), second=True),
    "norm_vector": _model((7, 5), _norm("", 5), second=True),
    "spatial": _model((3, 5, 4, 8), _spatial("", 8)),
    "spatial_pixel": _model((6, 1, 1, 8), _spatial("", 8)),
    "channel": _model((5, 3, 4, 8), _channel("", 8)),
    "head": _model((5, 3, 3, 8), _head("", 8)),
    "dan": _model((6, 4, 3, 12), _dan(12, 7)),
    "fusion": _model((4, 3, 6), {}),  # (batch, heads, channels)
    "fusion_one": _model((4, 1, 6), {}),
}
CLASSES, FEATURES = 4, 6
LABELS = {
    "affinity": (3, 0, 3, 0, 1),
    "affinity_one": (2,),
    "center": (3, 0, 3, 0, 1),
    "center_one": (2,),
}  # some classes absent
HEAD_SHAPES = {"partition2": (5, 2, 6), "partition4": (5, 4, 6), "partition_one": (1, 4, 6)}


def case(name):
    """The arrays of a case of ``MODELS``, by name."""
    numbers = _numbers(name)
    return {key: _draw(numbers, name, key, shape) for key, shape in MODELS[name].items()}


def class_case(name):
    """ "features" ``(batch, FEATURES)``, "centers" ``(CLASSES, FEATURES)``, "labels" ``(batch,)``
    of a case of ``LABELS``.
    """
    numbers = _numbers(name)
    labels = np.array(LABELS[name], "int32")
    features, centers = (
        numbers.normal(0, 1, (len(labels), FEATURES)),
        numbers.normal(0, 1, (CLASSES, FEATURES)),
    )
    return {
        "features": features.astype("float32"),
        "centers": centers.astype("float32"),
        "labels": labels,
    }


def heads(name):
    """``(batch, heads, features)`` of a case of ``HEAD_SHAPES``."""
    return _numbers(name).normal(0, 1, HEAD_SHAPES[name]).astype("float32")


def cotangent(shape):
    """What the gradients are taken of is sum(outputs * cotangent)."""
    return np.random.RandomState(1).normal(0, 1, tuple(shape)).astype("float32")


def names_with_gradient(name):
    """Of a case of ``MODELS``, in the order in which the golden file strings their gradients
    together.
    """
    return [key for key in MODELS[name] if "moving" not in key and key != "inputs2"]


def moving_names(name):
    """The same for the moving statistics."""
    return [key for key in MODELS[name] if "moving" in key]


def split(values, name, keys):
    """The arrays of a case, by name, that a golden vector strings together."""
    sizes = [int(np.prod(MODELS[name][key])) for key in keys]
    parts = np.split(values, np.cumsum(sizes)[:-1])
    return {key: part.reshape(MODELS[name][key]) for key, part in zip(keys, parts, strict=True)}


def draw_weight(numbers, name, shape):
    """Values of a normal size for a weight of that name."""
    kind = name.split("/")[-1]
    if kind.endswith("kernel"):
        fan_in = shape[0] * shape[1] if kind.startswith("depthwise") else np.prod(shape[:-1])
        return numbers.normal(0, 1 / np.sqrt(fan_in), shape).astype("float32")
    if kind.endswith(("gamma", "variance", "scale")):
        return numbers.uniform(0.5, 1.5, shape).astype("float32")
    return numbers.normal(0, 0.3, shape).astype("float32")


def _numbers(name):
    return np.random.RandomState(zlib.crc32(name.encode()) % 2**31)


def _draw(numbers, name, key, shape):
    if not key.startswith("inputs"):
        return draw_weight(numbers, key, shape)
    if name in ("convnext", "resnet"):
        return numbers.uniform(0, 255, shape).astype("float32")
    return numbers.normal(0.5, 1.5, shape).astype("float32")
