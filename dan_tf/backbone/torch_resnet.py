"""Converts PyTorch's ResNet-18: torchvision's, MS-Celeb-1M's of DAN's authors, or a DAN's."""

import re
from collections.abc import Mapping

import keras
import numpy as np

from .convnext import GRAY_MEAN, GRAY_STD, MEAN, STD
from .torch_state import TORCH_NAMES, assign_state, without_counts

# Position in ``nn.Sequential(*resnet.children())``, which a DAN has as "features" -> the name.
_CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
_NOT_BACKBONE = re.compile(r"(fc|bn|cat_head\d+)\.")


def convert_resnet18(state: Mapping[str, np.ndarray], backbone: keras.Model) -> None:
    """Copy a PyTorch state dict into a ResNet-18 backbone.

    Every variable is set, and every tensor is used, except those of heads and classifiers.

    A gray backbone gives what the color one gives for a gray picture, except near the edge of the
    image, where PyTorch pads with a color that is not gray: its kernel is the sum over colors, each
    divided by its own standard deviation, and the batch norm absorbs the difference of the means.

    Args:
        state: tensors by name, as torchvision or DAN's reference code names them.
        backbone: ``build_backbone("resnet18", ...)``.

    Raises:
        ValueError: the tensors do not fit; nothing is changed.
    """
    tensors = _torchvision_names(without_counts(state))
    if backbone.input_shape[-1] == 1:
        tensors = _gray_stem(tensors)
    variables = {_torch_name(weight.path): weight for weight in backbone.weights}
    assign_state(variables, tensors, keras_layout)


def keras_layout(_: str, array: np.ndarray) -> np.ndarray:
    """Convolutions (outputs, inputs, height, width) -> (height, width, inputs, outputs).

    Matrices (outputs, inputs) -> (inputs, outputs); the others are unchanged.
    """
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    return array.T if array.ndim == 2 else array


def _torchvision_names(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of the backbone alone, by torchvision's names."""
    named = {}
    for name, array in state.items():
        if name.startswith("features."):
            _, position, rest = name.split(".", 2)
            named[f"{_CHILDREN.get(position, position)}.{rest}"] = array
        elif not _NOT_BACKBONE.match(name):
            named[name] = array
    return named


def _gray_stem(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    kernel, mean = tensors.get("conv1.weight"), tensors.get("bn1.running_mean")
    if kernel is None or mean is None or kernel.shape[1:] != (3, 7, 7):
        return tensors  # assign_state reports what is wrong
    shift = np.array([(GRAY_MEAN - m) / s for m, s in zip(MEAN, STD, strict=True)])
    gray = np.einsum("fchw,c->fhw", kernel, GRAY_STD / np.array(STD))[:, None]
    mean = mean - np.einsum("fchw,c->f", kernel, shift)
    return tensors | {"conv1.weight": gray, "bn1.running_mean": mean}


def _torch_name(path: str) -> str:
    """PyTorch's name: "stage1_block0_conv2_norm/gamma" is "layer2.0.bn2.weight"."""
    layer, variable = path.split("/")[-2:]
    kind = TORCH_NAMES[variable]
    if layer.startswith("stem"):
        return f"{'bn1' if layer.endswith('_norm') else 'conv1'}.{kind}"
    stage, block, part, *norm = layer.split("_")
    if part == "shortcut":
        part = f"downsample.{len(norm)}"
    elif norm:
        part = part.replace("conv", "bn")
    return (
        f"layer{int(stage.removeprefix('stage')) + 1}.{block.removeprefix('block')}.{part}.{kind}"
    )
