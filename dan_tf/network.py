"""DAN (Wen, Lin, Wang, Xu; arXiv 2109.07270), with a choice of backbones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras import layers, ops

from model_presets.model import PresetModel

from .attention import CrossAttentionHead, HeadFusion
from .backbone import build_backbone, default_head_width, load_backbone_weights
from .backbone.stochastic_depth import check_rate
from .losses import AffinityLoss, CenterLoss, PartitionLoss
from .normalization import BatchNormalization

MAX_HEADS, MAX_HEAD_WIDTH = 64, 1024
CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@keras.saving.register_keras_serializable(package="dan_tf")
class DAN(PresetModel):
    """Distract your attention: cross-attention heads on one feature map, fused and classified.

    The model goes from pixels to logits. The losses besides cross-entropy and their centers are in
    ``DANTraining``, which ``for_training()`` returns.

    Deviations from the reference code, each with its reason:

    - ConvNeXt instead of ResNet-18: that is the purpose of this port.
      ``backbone="resnet18"`` is the original backbone.
    - No bias before a batch norm: the batch norm would cancel it, and it would never get a
      gradient.
    - The heads' inner width follows the backbone's: a third of its channels. That is 256 on the 768
      channels of ConvNeXt-Tiny; the reference has 256 on 512. The heads are then not larger than a
      small backbone. On the 1280 channels of EfficientNet-Lite it is 40. ``head_width`` sets it.

    Args:
        backbone: one of ``backbone.BACKBONES``.
        class_names: names of the outputs, in order; two or more.
        image_size: height and width of the input in pixels.
        channels: 1 for gray, 3 for color.
        num_heads: count of attention heads; with 0, a plain dense layer on the pooled features, for
            comparison.
        head_width: channels inside a head's spatial attention; 0 is a third of the backbone's, in
            steps of 8, and 40 on an EfficientNet-Lite.
        channel_width: units inside a head's channel attention; 0 is a 24th of the backbone's
            channels, at least 8. The reference has 32 on 512 channels.
        stem_stride: 4, 2 or 1, see ``backbone.build_backbone``.
        drop_path: rate of stochastic depth in the last block of a ConvNeXt or EfficientNet-Lite.
        layer_scale: initial value of a ConvNeXt's layer scale.
        affinity_weight, center_weight, partition_weight: weight of each loss term relative to
            cross-entropy; 0 leaves it out.
        backbone_weights: "none", "imagenet" or a file, which ``load_first_weights()`` loads.
            Building a model loads nothing.

    Input shape:
        ``(batch, image_size, image_size, channels)``, pixels in [0, 255].

    Output shape:
        ``(batch, classes)``, logits.

    Example:
        >>> model = DAN("convnext_atto", image_size=48, channels=1, stem_stride=2)
        >>> logits = model(images)

    Reference: arXiv 2109.07270, figure 2.
    """

    weights_folder = Path(__file__).with_name("weights")

    def __init__(
        self,
        backbone: str = "convnext_tiny",
        class_names: Sequence[str] = CLASSES,
        image_size: int = 224,
        channels: int = 3,
        num_heads: int = 4,
        head_width: int = 0,
        stem_stride: int = 4,
        drop_path: float = 0.0,
        layer_scale: float = 1e-6,
        affinity_weight: float = 1.0,
        center_weight: float = 0.0,
        partition_weight: float = 1.0,
        backbone_weights: str = "none",
        channel_width: int = 0,
        **kwargs: Any,
    ) -> None:
        weights = {
            "affinity_weight": affinity_weight,
            "center_weight": center_weight,
            "partition_weight": partition_weight,
        }
        _check(class_names, num_heads, (head_width, channel_width), drop_path, weights)
        pixels = keras.Input((image_size, image_size, channels), name="pixels")
        body = build_backbone(backbone, image_size, channels, stem_stride, drop_path, layer_scale)
        features = body(pixels)
        width = head_width or default_head_width(backbone, features.shape[-1])
        fused = (
            _attend(features, num_heads, width, channel_width)
            if num_heads
            else layers.GlobalAveragePooling2D(name="pooled")(features)
        )
        logits = _classify(fused, len(class_names), num_heads)
        super().__init__(inputs=pixels, outputs=logits, **kwargs)
        self.backbone, self.class_names = backbone, tuple(class_names)
        self.image_size, self.channels = image_size, channels
        self.num_heads, self.head_width, self.stem_stride = num_heads, head_width, stem_stride
        self.drop_path, self.layer_scale = drop_path, layer_scale
        self.affinity_weight, self.center_weight = affinity_weight, center_weight
        self.partition_weight = partition_weight
        self.backbone_weights, self.channel_width = backbone_weights, channel_width

    def load_first_weights(self) -> None:
        """Load the weights that ``backbone_weights`` names; call it once, before training.

        Raises:
            ValueError: the weights cannot be fetched or read, or do not fit.
        """
        load_backbone_weights(self.get_layer("backbone"), self.backbone, self.backbone_weights)

    def for_training(self) -> DANTraining:
        """A model that shares this model's weights and has all outputs and losses."""
        return DANTraining(self)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor, without ``backbone_weights``: a saved model has its own."""
        return {
            "name": self.name,
            "backbone": self.backbone,
            "class_names": list(self.class_names),
            "image_size": self.image_size,
            "channels": self.channels,
            "num_heads": self.num_heads,
            "head_width": self.head_width,
            "stem_stride": self.stem_stride,
            "drop_path": self.drop_path,
            "layer_scale": self.layer_scale,
            "affinity_weight": self.affinity_weight,
            "center_weight": self.center_weight,
            "partition_weight": self.partition_weight,
            "channel_width": self.channel_width,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> DAN:
        """The inverse of ``get_config``."""
        return cls(**config)


class DANTraining(keras.Model):
    """A DAN for training: features and heads among the outputs, and the losses with their centers.

    Use it with ``compile`` and ``fit`` on integer labels (the model has its own loss), or in a
    custom loop with ``extra_losses``. Save the DAN itself, not this model.

    Call arguments:
        pixels: ``(batch, image_size, image_size, channels)``.

    Returns:
        A dictionary: "logits" ``(batch, classes)``, "features" ``(batch, channels)``, averaged over
        the map, and with heads "heads" ``(batch, heads, channels)``.

    Example:
        >>> training = model.for_training()
        >>> training.compile(optimizer="adam")
        >>> training.fit(images, labels, epochs=5)
        >>> model.save("dan.keras")
    """

    def __init__(self, dan: DAN, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        feature_map = dan.get_layer("head0" if dan.num_heads else "pooled").input
        outputs = {
            "logits": dan.outputs[0],
            "features": layers.GlobalAveragePooling2D(name="features")(feature_map),
        }
        if dan.num_heads:
            outputs["heads"] = dan.get_layer("fusion").output
        self.graph = keras.Model(dan.inputs, outputs, name="graph")
        size = len(dan.class_names), outputs["features"].shape[-1]
        # name -> (weight, loss, name of the output that it is computed from)
        self.terms: dict[str, tuple[float, keras.losses.Loss, str]] = {}
        if dan.affinity_weight:
            self.terms["affinity"] = (dan.affinity_weight, AffinityLoss(*size), "features")
        if dan.center_weight:
            self.terms["center"] = (
                dan.center_weight,
                CenterLoss(*size, reduction="sum_over_batch_size"),
                "features",
            )
        if dan.partition_weight and dan.num_heads:
            self.terms["partition"] = (dan.partition_weight, PartitionLoss(), "heads")
        self.centers = [
            variable
            for _, loss, _ in self.terms.values()
            for variable in getattr(loss, "variables", [])
        ]
        self.built = True  # all layers and variables exist

    def call(
        self, pixels: keras.KerasTensor, training: bool = False
    ) -> dict[str, keras.KerasTensor]:
        """All outputs by name."""
        return self.graph(pixels, training=training)

    def extra_losses(
        self, labels: keras.KerasTensor, outputs: dict[str, keras.KerasTensor]
    ) -> dict[str, keras.KerasTensor]:
        """The weighted loss terms besides cross-entropy: a dictionary of scalars by name.

        Args:
            labels: ``(batch,)``, integers.
            outputs: the result of calling this model.
        """
        return {
            name: weight * loss(labels, outputs[output])
            for name, (weight, loss, output) in self.terms.items()
        }

    def after_step(self, labels: keras.KerasTensor, outputs: dict[str, keras.KerasTensor]) -> None:
        """Update the centers of the center loss; call it once per step, after the gradients."""
        if "center" in self.terms:
            self.terms["center"][1].update_centers(labels, outputs["features"])

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: keras.KerasTensor | None = None,
        training: bool = True,
    ) -> keras.KerasTensor:
        """Cross-entropy plus all loss terms, for ``fit``.

        In training it also updates the centers of the center loss.
        """
        cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
            y, y_pred["logits"], sample_weight
        )
        total = cross_entropy + sum(self.extra_losses(y, y_pred).values())
        if training:
            self.after_step(y, y_pred)
        return total

    def compute_metrics(
        self,
        x: Any,
        y: keras.KerasTensor,
        y_pred: dict[str, keras.KerasTensor],
        sample_weight: keras.KerasTensor | None = None,
    ) -> dict[str, Any]:
        """Metrics of the logits, for ``fit``."""
        return super().compute_metrics(x, y, y_pred["logits"], sample_weight)


def _attend(
    features: keras.KerasTensor, num_heads: int, head_width: int, channel_width: int = 0
) -> keras.KerasTensor:
    """The sum of the fused heads: ``(batch, channels)``."""
    channel_width = channel_width or max(8, features.shape[-1] // 24)
    heads = [
        CrossAttentionHead(head_width, channel_width, name=f"head{k}")(features)
        for k in range(num_heads)
    ]
    return SumOfHeads(name="sum_of_heads")(HeadFusion(name="fusion")(heads))


def _classify(fused: keras.KerasTensor, classes: int, num_heads: int) -> keras.KerasTensor:
    """Logits: dense and batch norm as in the reference; without heads a plain dense layer."""
    if not num_heads:
        return layers.Dense(classes, name="logits")(fused)
    logits = layers.Dense(classes, use_bias=False, name="dense")(fused)
    return BatchNormalization(name="logits")(logits)


@keras.saving.register_keras_serializable(package="dan_tf")
class SumOfHeads(layers.Layer):
    """Sum over heads: ``(batch, heads, channels)`` -> ``(batch, channels)``."""

    def call(self, heads: keras.KerasTensor) -> keras.KerasTensor:
        """The sum."""
        return ops.sum(heads, axis=1)


def _check(
    class_names: Sequence[str],
    num_heads: int,
    widths: tuple[int, int],
    drop_path: float,
    weights: dict[str, float],
) -> None:
    """Raise ValueError for arguments that are out of range."""
    if len(class_names) < 2:
        raise ValueError(
            "Expected `class_names` to have two or more. "
            f"Received: class_names={tuple(class_names)}"
        )
    if not 0 <= num_heads <= MAX_HEADS or not 0 <= min(widths) <= max(widths) <= MAX_HEAD_WIDTH:
        raise ValueError(
            f"Expected no negative number, up to {MAX_HEADS} heads and a width up to "
            f"{MAX_HEAD_WIDTH}. Received: num_heads={num_heads}, head_width={widths[0]}"
            + (f", channel_width={widths[1]}" if widths[1] else "")
        )
    check_rate(drop_path, "drop_path")
    for name, value in weights.items():
        if not value >= 0.0:
            raise ValueError(f"Expected `{name}` to be at least 0. Received: {name}={value!r}")
