"""Imports a checkpoint of DAN's reference code (github.com/yaoing/DAN), without PyTorch."""

import os
import re
from collections.abc import Mapping, Sequence

import numpy as np

from .backbone.torch_file import read_state_dict
from .backbone.torch_resnet import convert_resnet18, keras_layout
from .backbone.torch_state import TORCH_NAMES, assign_state, without_counts
from .network import DAN

# The order of the outputs in the published checkpoints, by dataset.
REFERENCE_CLASSES = {
    "affectnet7": ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry"),
    "affectnet8": ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt"),
    "rafdb": ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"),
}
HEAD_WIDTH, CHANNEL_WIDTH = 256, 32
# Keras's layer -> PyTorch's, inside a head; a layer before a batch norm has a bias there.
_HEAD_LAYERS = {
    "spatial/reduce": "sa.conv1x1.0",
    "spatial/conv_3x3": "sa.conv_3x3.0",
    "spatial/conv_1x3": "sa.conv_1x3.0",
    "spatial/conv_3x1": "sa.conv_3x1.0",
    "spatial/reduce_norm": "sa.conv1x1.1",
    "spatial/norm_3x3": "sa.conv_3x3.1",
    "spatial/norm_1x3": "sa.conv_1x3.1",
    "spatial/norm_3x1": "sa.conv_3x1.1",
    "channel/squeeze": "ca.attention.0",
    "channel/norm": "ca.attention.1",
    "channel/excite": "ca.attention.3",
}
_BEFORE_NORM = re.compile(r"(.*\.sa\.conv\w+|.*\.ca\.attention)\.0\.bias|fc\.bias")


def load_reference(path: str | os.PathLike[str], class_names: Sequence[str]) -> DAN:
    """A DAN with the weights of a checkpoint of the reference code.

    The outputs are those of the reference for the same image of 224x224 pixels in color. Save the
    model, and every command reads it. The reference has biases before batch norms; they are merged
    into the norms.

    Args:
        path: a .pth file, such as ``rafdb_epoch21_acc0.897_bacc0.8275.pth``.
        class_names: names of the outputs, in order: a value of ``REFERENCE_CLASSES``, or others.

    Raises:
        ValueError: the file is no such checkpoint, or has another number of classes.

    Example:
        >>> model = dan_tf.load_reference("rafdb.pth", dan_tf.REFERENCE_CLASSES["rafdb"])
        >>> model.save("rafdb.keras")
    """
    try:
        state = without_counts(read_state_dict(path))
        num_heads = len({name.split(".")[0] for name in state if name.startswith("cat_head")})
        if not num_heads or "fc.weight" not in state:
            raise ValueError("no 'cat_head0' and 'fc' in it")
        _check_classes(len(state["fc.weight"]), class_names)
        model = DAN(
            "resnet18",
            class_names,
            num_heads=num_heads,
            head_width=HEAD_WIDTH,
            channel_width=CHANNEL_WIDTH,
        )
        convert_reference(state, model)
    except ValueError as error:
        problem = str(error).splitlines()[0][:200]
        raise ValueError(
            f"{path}: not a checkpoint of the reference DAN ({problem}). Give a .pth file of "
            "github.com/yaoing/DAN, and its class names in the order of its outputs."
        ) from error
    return model


def convert_reference(state: Mapping[str, np.ndarray], model: DAN) -> None:
    """Copy a state dict of the reference's DAN into a DAN on ResNet-18.

    Args:
        state: tensors by the reference's names.
        model: a DAN with ResNet-18, as many heads and classes, and the reference's widths.

    Raises:
        ValueError: the tensors do not fit.
    """
    state = without_counts(state)
    tensors = {
        name: array
        for name, array in _merge_biases(state).items()
        if not name.startswith("features.")
    }
    variables = {
        _torch_name(weight.path): weight
        for layer in model.layers
        if layer.name != "backbone"
        for weight in layer.weights
    }
    assign_state(variables, tensors, keras_layout)
    backbone = {name: array for name, array in state.items() if name.startswith("features.")}
    convert_resnet18(backbone, model.get_layer("backbone"))


def _check_classes(count: int, class_names: Sequence[str]) -> None:
    if count != len(class_names):
        raise ValueError(f"it has {count} classes, {len(class_names)} class names were given")


def _merge_biases(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Without the biases before batch norms, which are subtracted from the norms' means."""
    merged = dict(state)
    for name in filter(_BEFORE_NORM.fullmatch, state):
        norm = "bn" if name == "fc.bias" else name.removesuffix("0.bias") + "1"
        mean = f"{norm}.running_mean"
        if mean in merged and merged[mean].shape == state[name].shape:
            merged[mean] = merged[mean] - merged.pop(name)
    return merged


def _torch_name(path: str) -> str:
    """PyTorch's name: "head0/spatial/conv_3x3/kernel" is "cat_head0.sa.conv_3x3.0.weight"."""
    head, _, rest = path.partition("/")
    layer, _, variable = rest.rpartition("/")
    kind = TORCH_NAMES[variable]
    if head.startswith("head"):
        return f"cat_{head}.{_HEAD_LAYERS[layer]}.{kind}"
    return f"{'fc' if head == 'dense' else 'bn'}.{kind}"
