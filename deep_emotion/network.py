"""Deep-Emotion (Minaee, Minaei, Abdolrashidi; arXiv 1902.01019; Sensors 2021, 21, 3046)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras import initializers, layers

from model_presets.model import PresetModel

from .keyed_dropout import KeyedDropout
from .reparameterized import ReparameterizedConv2D, ReparameterizedDense, ReparameterizedLayer
from .residual import residual_features
from .transformer import IDENTITY_THETA, BoundedTheta, SpatialTransformer

MAX_BRANCHES = 64
VARIANTS = ("paper", "input_warp", "residual")
FER_CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@keras.saving.register_keras_serializable(package="deep_emotion")
class DeepEmotion(PresetModel):
    """A small convolutional network whose spatial transformer learns which part of the face to use.

    It has three variants:

    - "paper" is the paper's figure. The localization network gets the image, the warp acts on the
      FEATURE MAP after the dropout, and there is no batch normalization. 47,657 parameters.
    - "input_warp" is the well-known PyTorch port. The warp acts on the IMAGE, localization kernels
      are 7x7 and 5x5, and the last convolution is batch normalized. 66,897 parameters, 20 of them
      moving statistics.
    - "residual" was designed for this project. It is "input_warp" with residual blocks of dense 3x3
      convolutions after the warp, batch normalization throughout, a bounded theta, and a single
      dense layer on the averaged map. 776,199 parameters for seven classes.

    Assumptions and deviations, each with its reason:

    - Pixels 0..255 are scaled to -1..1 inside the model, so that the zero outside the image is
      mid-gray. The paper names no scaling.
    - The localization convolutions of "paper" pad (same) and pool by 4 twice. The figure's 90
      inputs to the dense layer are 3x3x10, which pooling by 2 cannot give from 48 pixels (valid
      convolutions would leave 10x10x10).
    - The last localization layer starts at zero kernel and identity bias. The paper draws all
      weights from a Gaussian; near zero, that theta would sample a single pixel.
    - "input_warp" draws its weights as PyTorch does by default, uniform within 1/sqrt(fan_in), but
      biases start at zero.
    - Dropout is off at evaluation. The port leaves it on.

    Args:
        variant: "paper", "input_warp" or "residual".
        class_names: names of the outputs, in order.
        image_size: height and width of the input in pixels.
        channels: 1 for gray, 3 for color.
        dropout: rate before the dense layers, in [0, 1). The paper gives none; 0.5 is the port's.
        fc_penalty: lambda of the paper's loss, cross-entropy + lambda * ||w_fc||^2 over the last
            two dense layers.
        sampler: see ``transformer.spatial_transform``.
        branches: "paper" only. With 0, the layers of the figure. With n above 0, every layer except
            those of theta and of the logits trains as a sum of n batch-normalized branches;
            ``folded`` returns the figure's network with the same outputs.
        theta_step: "residual" only. How fast theta moves, see ``transformer.BoundedTheta``. With
            0.1, that of earlier versions, weight decay outweighs the gradient and theta stays at
            the identity. Above, the localization network is trained without weight decay.

    Input shape:
        ``(batch, image_size, image_size, channels)``, pixels in [0, 255].

    Output shape:
        ``(batch, classes)``, logits.

    Example:
        >>> logits = DeepEmotion("input_warp")(images)

    Reference: arXiv 1902.01019, figure 2 and section 3.
    """

    weights_folder = Path(__file__).with_name("weights")

    def __init__(
        self,
        variant: str = "paper",
        class_names: Sequence[str] = FER_CLASSES,
        image_size: int = 48,
        channels: int = 1,
        dropout: float = 0.5,
        fc_penalty: float = 0.0,
        sampler: str = "auto",
        branches: int = 0,
        theta_step: float = 0.1,
        **kwargs: Any,
    ) -> None:
        if variant not in VARIANTS:
            raise ValueError(
                f"Expected `variant` to be one of {VARIANTS}. Received: variant={variant!r}"
            )
        if image_size < 44:
            raise ValueError(
                f"Expected `image_size` to be at least 44 pixels. Received: image_size={image_size}"
            )
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"Expected `dropout` to be in [0, 1). Received: dropout={dropout!r}")
        if not fc_penalty >= 0.0:
            raise ValueError(
                f"Expected `fc_penalty` to be at least 0. Received: fc_penalty={fc_penalty!r}"
            )
        if not 0 <= branches <= MAX_BRANCHES or (branches and variant != "paper"):
            raise ValueError(
                f"Expected `branches` from 0 to {MAX_BRANCHES}, and 0 for any `variant` except "
                "'paper'. "
                f"Received: branches={branches}, variant={variant!r}"
            )
        if not theta_step > 0.0:
            raise ValueError(
                f"Expected `theta_step` to be above 0. Received: theta_step={theta_step!r}"
            )
        build: Any = {
            "paper": _paper_graph,
            "input_warp": _input_warp_graph,
            "residual": _residual_graph,
        }[variant]
        inputs = keras.Input((image_size, image_size, channels), name="pixels")
        scaled = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(inputs)
        options: dict[str, dict[str, Any]] = {
            "paper": {"branches": branches},
            "residual": {"theta_step": theta_step},
        }
        features = build(scaled, dropout, sampler, **options.get(variant, {}))
        logits = _classifier(features, len(class_names), variant, fc_penalty, branches)
        super().__init__(inputs=inputs, outputs=logits, **kwargs)
        self.variant, self.class_names = variant, tuple(class_names)
        self.image_size, self.channels = image_size, channels
        self.dropout, self.fc_penalty = dropout, fc_penalty
        self.sampler, self.branches, self.theta_step = sampler, branches, theta_step
        self.undecayed_layers = "localization" if theta_step > 0.1 else None

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            "name": self.name,
            "variant": self.variant,
            "class_names": list(self.class_names),
            "image_size": self.image_size,
            "channels": self.channels,
            "dropout": self.dropout,
            "fc_penalty": self.fc_penalty,
            "sampler": self.sampler,
            "branches": self.branches,
            "theta_step": self.theta_step,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> DeepEmotion:
        """The inverse of ``get_config``."""
        return cls(**config)

    def folded(self) -> DeepEmotion:
        """The model with each sum of branches folded into one plain layer: the same outputs."""
        if not self.branches:
            return self
        model = DeepEmotion.from_config({**self.get_config(), "branches": 0})
        for layer in self.layers:
            if layer.weights:
                weights = (
                    layer.folded()
                    if isinstance(layer, ReparameterizedLayer)
                    else layer.get_weights()
                )
                model.get_layer(layer.name).set_weights(weights)
        return model

    def for_export(self) -> DeepEmotion:
        """The folded model with a sampler of plain operations, for other runtimes.

        It also serves batches of changing size, for each of which XLA would compile again.
        """
        folded = self.folded()
        if self.sampler not in ("auto", "xla"):
            return folded
        model = DeepEmotion.from_config({**folded.get_config(), "sampler": "tensorflow"})
        model.set_weights(folded.get_weights())
        return model


def _initializer(variant: str) -> initializers.Initializer:
    if variant == "paper":
        return initializers.RandomNormal(mean=0.0, stddev=0.05)  # section 3
    # Uniform with variance 1 / (3 fan_in) is PyTorch's default for convolutions and dense layers.
    return initializers.VarianceScaling(1.0 / 3.0, mode="fan_in", distribution="uniform")


def _convolution(
    filters: int,
    kernel_size: int,
    variant: str,
    name: str,
    padding: str = "valid",
    branches: int = 0,
) -> layers.Layer:
    settings = {"padding": padding, "kernel_initializer": _initializer(variant), "name": name}
    if branches:
        return ReparameterizedConv2D(filters, kernel_size, branches, **settings)
    return layers.Conv2D(filters, kernel_size, **settings)


def _dense(units: int, variant: str, name: str, branches: int = 0, **settings: Any) -> layers.Layer:
    settings |= {"kernel_initializer": _initializer(variant), "name": name}
    return (
        ReparameterizedDense(units, branches, **settings)
        if branches
        else layers.Dense(units, **settings)
    )


def _theta(
    localized: keras.KerasTensor, variant: str, branches: int = 0, step: float = 0.1
) -> keras.KerasTensor:
    """Dense 32 -> ReLU -> dense 6, starting at the identity transform."""
    hidden = _dense(32, variant, "localization_dense", branches, activation="relu")
    hidden = hidden(layers.Flatten(name="localization_flatten")(localized))
    if variant == "residual":
        free = layers.Dense(6, kernel_initializer="zeros", name="localization_free")(hidden)
        return BoundedTheta(step=step, dtype="float32", name="localization_theta")(free)
    return layers.Dense(
        6, kernel_initializer="zeros", bias_initializer=IdentityTheta(), name="localization_theta"
    )(hidden)


@keras.saving.register_keras_serializable(package="deep_emotion")
class IdentityTheta(initializers.Initializer):
    """A bias that makes theta the identity transform."""

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> keras.KerasTensor:
        """The six numbers of the identity transform."""
        return keras.ops.convert_to_tensor(IDENTITY_THETA, dtype=dtype)


def _features(
    images: keras.KerasTensor, variant: str, normalize: bool, branches: int = 0
) -> keras.KerasTensor:
    """The figure's feature extractor, with valid convolutions.

    Two blocks of convolution 3x3 -> ReLU -> convolution 3x3 -> max-pooling 2 -> ReLU.
    """
    x = images
    for block in (1, 2):
        first, second = 2 * block - 1, 2 * block
        x = layers.ReLU()(_convolution(10, 3, variant, f"conv{first}", branches=branches)(x))
        x = _convolution(10, 3, variant, f"conv{second}", branches=branches)(x)
        if normalize and block == 2:
            x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name="normalization")(x)
        x = layers.ReLU()(layers.MaxPooling2D(2)(x))
    return x


def _paper_graph(
    images: keras.KerasTensor, dropout: float, sampler: str, branches: int = 0
) -> keras.KerasTensor:
    x = _features(images, "paper", normalize=False, branches=branches)
    shape = x.shape[1:]
    x = layers.Reshape(shape)(KeyedDropout(dropout, name="dropout")(layers.Flatten()(x)))
    localized = images
    for index, filters in enumerate((8, 10), start=1):
        localized = _convolution(
            filters, 3, "paper", f"localization_conv{index}", "same", branches
        )(localized)
        localized = layers.ReLU()(layers.MaxPooling2D(4)(localized))
    x = SpatialTransformer(sampler, name="transformer")([x, _theta(localized, "paper", branches)])
    return layers.Flatten(name="features")(x)


def _input_warp_graph(images: keras.KerasTensor, dropout: float, sampler: str) -> keras.KerasTensor:
    x = _features(_warped(images, sampler, "input_warp"), "input_warp", normalize=True)
    return KeyedDropout(dropout, name="dropout")(layers.Flatten(name="features")(x))


def _residual_graph(
    images: keras.KerasTensor, dropout: float, sampler: str, theta_step: float
) -> keras.KerasTensor:
    x = residual_features(_warped(images, sampler, "residual", theta_step))
    return KeyedDropout(dropout, name="dropout")(layers.GlobalAveragePooling2D(name="features")(x))


def _warped(
    images: keras.KerasTensor, sampler: str, variant: str, theta_step: float = 0.1
) -> keras.KerasTensor:
    """The image, warped by the theta of the port's localization network."""
    localized = images
    for index, (filters, kernel_size) in enumerate(((8, 7), (10, 5)), start=1):
        localized = _convolution(filters, kernel_size, "input_warp", f"localization_conv{index}")(
            localized
        )
        localized = layers.ReLU()(layers.MaxPooling2D(2)(localized))
    theta = _theta(localized, variant, step=theta_step)
    return SpatialTransformer(sampler, name="transformer")([images, theta])


def _classifier(
    features: keras.KerasTensor, classes: int, variant: str, fc_penalty: float, branches: int = 0
) -> keras.KerasTensor:
    """Dense 50 -> ReLU -> dense classes, with the paper's penalty on both kernels.

    "residual" has only the last layer.
    """

    def dense(units: int, name: str, branches: int = 0) -> layers.Layer:
        penalty = keras.regularizers.L2(fc_penalty) if fc_penalty else None
        return _dense(units, variant, name, branches, kernel_regularizer=penalty)

    if variant == "residual":
        return dense(classes, "logits")(features)
    return dense(classes, "logits")(layers.ReLU()(dense(50, "dense", branches)(features)))
