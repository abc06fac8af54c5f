"""DAN (Wen, Lin, Wang, Xu; arXiv 2109.07270), with a choice of backbones."""

import keras
from keras import layers, ops

from .attention import CrossAttentionHead, HeadFusion
from .backbone import build_backbone, load_backbone_weights
from .losses import AffinityLoss, CenterLoss, PartitionLoss
from .normalization import BatchNormalization

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@keras.saving.register_keras_serializable(package="dan_tf")
class DAN(keras.Model):
    """Distract your attention: several cross-attention heads on one feature map, fused, classified and normalized.

    The model goes from pixels to logits and holds nothing else: the losses beside cross-entropy, with their centers, live in
    ``DANTraining``, which ``for_training()`` makes.

    Deviations from the reference code, each with its reason:

    - ConvNeXt in place of ResNet-18, as this project is for; ``backbone="resnet18"`` is the original.
    - No bias where a batch norm follows: it would be taken away again, and never get a gradient.
    - The heads' inner width follows the backbone's, a third of its channels: 256 on ConvNeXt-Tiny's 768, as the reference has on
      512. Small backbones are not outweighed. ``head_width`` sets it.

    Args:
        backbone: one of ``backbone.BACKBONES``.
        class_names: names of the outputs, in order; two or more.
        image_size: height and width of the input in pixels.
        channels: 1 for gray, 3 for colour.
        num_heads: attention heads; 0 puts a plain dense layer on the pooled features, for comparison.
        head_width: channels inside a head's spatial attention; 0 is a third of the backbone's, in steps of 8.
        stem_stride: 4, 2 or 1, see ``backbone.build_backbone``.
        drop_path: rate of stochastic depth in the last block of a ConvNeXt.
        layer_scale: first value of a ConvNeXt's layer scale.
        affinity_weight, center_weight, partition_weight: what each loss term counts beside cross-entropy; 0 leaves it out.
        backbone_weights: "none", "imagenet" or a file: what ``load_first_weights()`` loads. Building a model loads nothing.

    Input shape:
        ``(batch, image_size, image_size, channels)``, pixels in [0, 255].
    Output shape:
        ``(batch, classes)``, logits.
    Example:
        >>> model = DAN("convnext_atto", image_size=48, channels=1, stem_stride=2)
        >>> logits = model(images)
    Reference: arXiv 2109.07270, figure 2.
    """

    def __init__(
        self,
        backbone="convnext_tiny",
        class_names=CLASSES,
        image_size=224,
        channels=3,
        num_heads=4,
        head_width=0,
        stem_stride=4,
        drop_path=0.0,
        layer_scale=1e-6,
        affinity_weight=1.0,
        center_weight=0.0,
        partition_weight=1.0,
        backbone_weights="none",
        **kwargs,
    ):
        weights = {
            "affinity_weight": affinity_weight,
            "center_weight": center_weight,
            "partition_weight": partition_weight,
        }
        _check(class_names, num_heads, head_width, drop_path, weights)
        pixels = keras.Input((image_size, image_size, channels), name="pixels")
        body = build_backbone(backbone, image_size, channels, stem_stride, drop_path, layer_scale)
        features = body(pixels)
        fused = (
            _attend(features, num_heads, head_width)
            if num_heads
            else layers.GlobalAveragePooling2D(name="pooled")(features)
        )
        logits = _classify(fused, len(class_names), num_heads)
        super().__init__(inputs=pixels, outputs=logits, **kwargs)
        self.backbone, self.class_names = backbone, tuple(class_names)
        self.image_size, self.channels = image_size, channels
        self.num_heads, self.head_width, self.stem_stride = num_heads, head_width, stem_stride
        self.drop_path, self.layer_scale = drop_path, layer_scale
        self.affinity_weight, self.center_weight, self.partition_weight = (
            affinity_weight,
            center_weight,
            partition_weight,
        )
        self.backbone_weights = backbone_weights

    def load_first_weights(self):
        """Loads the backbone's weights that ``backbone_weights`` names: once, before training.

        Raises:
            ValueError: they cannot be had, or do not fit.
        """
        load_backbone_weights(self.get_layer("backbone"), self.backbone, self.backbone_weights)

    def for_training(self):
        """A model around this one, sharing its weights, with all outputs and losses; see ``DANTraining``."""
        return DANTraining(self)

    def get_config(self):
        config = {
            "name": self.name,
            "backbone": self.backbone,
            "class_names": list(self.class_names),
        }
        names = (
            "image_size",
            "channels",
            "num_heads",
            "head_width",
            "stem_stride",
            "drop_path",
            "layer_scale",
        )
        names += ("affinity_weight", "center_weight", "partition_weight", "backbone_weights")
        return config | {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


class DANTraining(keras.Model):
    """A DAN with what its training needs: features and heads among the outputs, and the losses with their centers.

    Works with ``compile`` and ``fit`` on integer labels (the loss is this model's own), or in a loop of one's own with
    ``extra_losses``. Save the DAN itself, not this.

    Call arguments:
        pixels: ``(batch, image_size, image_size, channels)``.
    Returns:
        A dictionary: "logits" ``(batch, classes)``, "features" ``(batch, channels)``, averaged over the map, and with heads
        "heads" ``(batch, heads, channels)``.
    Example:
        >>> training = model.for_training()
        >>> training.compile(optimizer="adam")
        >>> training.fit(images, labels, epochs=5)
        >>> model.save("dan.keras")
    """

    def __init__(self, dan, **kwargs):
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
        # name -> (weight, loss, which output it looks at)
        self.terms = {}
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
        self.built = True  # all of it exists

    def call(self, pixels, training=False):
        return self.graph(pixels, training=training)

    def extra_losses(self, labels, outputs):
        """What the loss terms beside cross-entropy come to, weighted: a dictionary of scalars by name.

        Args:
            labels: ``(batch,)``, integers.
            outputs: what calling this model returned.
        """
        return {
            name: weight * loss(labels, outputs[output])
            for name, (weight, loss, output) in self.terms.items()
        }

    def after_step(self, labels, outputs):
        """Moves the centers of the plain center loss by their own rule; to be called once a step, behind the gradients."""
        if "center" in self.terms:
            self.terms["center"][1].update_centers(labels, outputs["features"])

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
            y, y_pred["logits"], sample_weight
        )
        total = cross_entropy + sum(self.extra_losses(y, y_pred).values())
        if training:
            self.after_step(y, y_pred)
        return total

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, y, y_pred["logits"], sample_weight)


def _attend(features, num_heads, head_width):
    """The fused heads, summed: ``(batch, channels)``."""
    channels = features.shape[-1]
    spatial_width = head_width or max(8, channels // 3 // 8 * 8)
    channel_width = max(8, channels // 24)
    heads = [
        CrossAttentionHead(spatial_width, channel_width, name=f"head{k}")(features)
        for k in range(num_heads)
    ]
    return SumOfHeads(name="sum_of_heads")(HeadFusion(name="fusion")(heads))


def _classify(fused, classes, num_heads):
    """Logits: dense and batch norm as in the reference; a plain dense layer where there are no heads."""
    if not num_heads:
        return layers.Dense(classes, name="logits")(fused)
    logits = layers.Dense(classes, use_bias=False, name="dense")(fused)
    return BatchNormalization(name="logits")(logits)


@keras.saving.register_keras_serializable(package="dan_tf")
class SumOfHeads(layers.Layer):
    """``(batch, heads, channels)`` -> ``(batch, channels)``."""

    def call(self, heads):
        return ops.sum(heads, axis=1)


def _check(class_names, num_heads, head_width, drop_path, weights):
    if len(class_names) < 2:
        raise ValueError(
            f"Expected `class_names` to have two or more. Received: class_names={tuple(class_names)}"
        )
    if num_heads < 0 or head_width < 0:
        raise ValueError(
            f"Expected no negative number. Received: num_heads={num_heads}, head_width={head_width}"
        )
    if not 0.0 <= drop_path < 1.0:
        raise ValueError(f"Expected `drop_path` to be in [0, 1). Received: drop_path={drop_path!r}")
    for name, value in weights.items():
        if not value >= 0.0:
            raise ValueError(f"Expected `{name}` to be at least 0. Received: {name}={value!r}")
