"""ConvNeXt (Liu et al., arXiv 2201.03545).

It has depthwise convolutions, stochastic depth and a choice of stem stride.
"""

from typing import Any

import keras
from keras import initializers, layers, ops

from .stochastic_depth import check_rate, drop_rows

# Blocks and channels of the four stages. Tiny, small and base are the paper's, the smaller ones are
# timm's. Face was designed for this project, for small images: no block at the largest map, which
# costs most, and two more convolutions in the stem.
SIZES = {
    "convnext_face": ((0, 2, 4, 2), (32, 64, 128, 256)),
    "convnext_atto": ((2, 2, 6, 2), (40, 80, 160, 320)),
    "convnext_femto": ((2, 2, 6, 2), (48, 96, 192, 384)),
    "convnext_pico": ((2, 2, 6, 2), (64, 128, 256, 512)),
    "convnext_nano": ((2, 2, 8, 2), (80, 160, 320, 640)),
    "convnext_tiny": ((3, 3, 9, 3), (96, 192, 384, 768)),
    "convnext_small": ((3, 3, 27, 3), (96, 192, 384, 768)),
    "convnext_base": ((3, 3, 27, 3), (128, 256, 512, 1024)),
}
EPSILON = 1e-6
# ImageNet's mean and standard deviation: red, green, blue, pixels in [0, 1].
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GRAY_MEAN, GRAY_STD = sum(MEAN) / 3, sum(STD) / 3


def convnext(
    name: str,
    pixels: keras.KerasTensor,
    stem_stride: int = 4,
    drop_path: float = 0.0,
    layer_scale: float = 1e-6,
) -> keras.KerasTensor:
    """The feature map of a ConvNeXt: four stages and a layer norm, no pooling.

    With stem stride 4 the map is a 32nd of the image, as in the paper. With 2 or 1 the stem's 4x4
    kernel has that stride, and every later map is two or four times as large: a 48x48 face keeps
    3x3 or 6x6 positions for attention, at four or sixteen times the cost.

    Args:
        name: a key of ``SIZES``.
        pixels: Keras tensor ``(batch, height, width, channels)`` in [0, 255], 1 or 3 channels.
        stem_stride: 4, 2 or 1.
        drop_path: rate of stochastic depth in the last block; it rises linearly from 0 in the
            first.
        layer_scale: initial value of the layer scale.

    Returns:
        Keras tensor ``(batch, height / (8 stem_stride), width / (8 stem_stride), channels of the
        last stage)``.

    Reference: arXiv 2201.03545, figure 4 and section 2.
    """
    depths, dims = SIZES[name]
    x = imagenet_scale(pixels)
    first = 0 if depths[0] else 1
    if first:
        x = _stem_of_convolutions(x, stem_stride, dims[0], dims[1])
    else:
        padding = "valid" if stem_stride == 4 else "same"
        x = layers.Conv2D(
            dims[0], 4, stem_stride, padding, kernel_initializer=_initializer(), name="stem_conv"
        )(x)
        x = LayerNormalization(epsilon=EPSILON, name="stem_norm")(x)
    done = 0
    for stage in range(first, len(dims)):
        depth, channels = depths[stage], dims[stage]
        if stage > first:
            x = LayerNormalization(epsilon=EPSILON, name=f"down{stage}_norm")(x)
            x = layers.Conv2D(
                channels, 2, 2, kernel_initializer=_initializer(), name=f"down{stage}_conv"
            )(x)
        for block in range(depth):
            rate = drop_path * done / max(sum(depths) - 1, 1)
            x = ConvNeXtBlock(rate, layer_scale, name=f"stage{stage}_block{block}")(x)
            done += 1
    return LayerNormalization(epsilon=EPSILON, name="output_norm")(x)


def _stem_of_convolutions(
    x: keras.KerasTensor, stride: int, width: int, channels: int
) -> keras.KerasTensor:
    """Three 3x3 convolutions (arXiv 2106.14881).

    They replace the stem, its stage without blocks and the downsampling to the next stage.
    """
    for index, (filters, step) in enumerate(((width, stride), (width, 1), (channels, 2))):
        x = layers.Conv2D(
            filters,
            max(3, step),
            step,
            "same",
            kernel_initializer="he_normal",
            name=f"stem{index}_conv",
        )(x)
        x = LayerNormalization(epsilon=EPSILON, name=f"stem{index}_norm")(x)
        if index < 2:
            x = layers.ReLU(name=f"stem{index}_relu")(x)
    return x


def imagenet_scale(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Pixels in [0, 255], normalized with ImageNet's mean and standard deviation.

    For gray these are averages over ImageNet's color channels.
    """
    mean, std = (MEAN, STD) if pixels.shape[-1] == 3 else ((GRAY_MEAN,), (GRAY_STD,))
    scale, offset = [1 / (255 * s) for s in std], [-m / s for m, s in zip(mean, std, strict=True)]
    return layers.Rescaling(scale, offset, name="scale")(pixels)


def _initializer() -> initializers.Initializer:
    return initializers.TruncatedNormal(stddev=0.02)


@keras.saving.register_keras_serializable(package="dan_tf")
class LayerNormalization(layers.LayerNormalization):
    """Keras's layer over the last axis; training steps on TensorFlow use ``fast_ops``."""

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Normalize over the last axis."""
        if not (training and _may_be_fast(self)):
            return super().call(inputs)
        from . import fast_ops  # late: needs TensorFlow, other backends may not have it

        flat = ops.reshape(inputs, (-1, inputs.shape[-1]))
        flat = fast_ops.layer_norm(flat, self.gamma.value, self.beta.value, self.epsilon)
        return ops.reshape(flat, ops.shape(inputs))


def _may_be_fast(layer: layers.Layer) -> bool:
    return keras.backend.backend() == "tensorflow" and layer.compute_dtype in (
        "float32",
        "bfloat16",
    )


@keras.saving.register_keras_serializable(package="dan_tf")
class ConvNeXtBlock(layers.Layer):
    """``x + drop_path(scale * W2 gelu(W1 norm(depthwise7x7(x))))``.

    On TensorFlow a training step computes the same numbers faster (``fast_ops``): the norm's gain
    and offset are folded into W1 and the layer scale into W2. This leaves two passes over the
    widened features instead of seven.

    For repeatable training, set ``row_keys``, integers ``(batch,)``, before calling the model. The
    dropped rows then depend only on the keys.

    Args:
        drop_path: fraction of the rows for which the block is skipped in training; the others are
            scaled by 1 / (1 - fraction).
        layer_scale: initial value of the scale.
        fast: "auto" as above, or False for the plain formulas everywhere.

    Input shape, output shape:
        ``(batch, height, width, channels)``.
    """

    def __init__(
        self,
        drop_path: float = 0.0,
        layer_scale: float = 1e-6,
        fast: str | bool = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_rate(drop_path, "drop_path")
        self.drop_path, self.layer_scale, self.fast = drop_path, layer_scale, fast
        self.seed_generator = keras.random.SeedGenerator() if drop_path else None
        self.row_keys: keras.KerasTensor | None = None

    def build(self, input_shape: tuple[int | None, int, int, int]) -> None:
        """Create the weights."""
        channels = input_shape[-1]

        def weight(name: str, shape: tuple[int, ...], initializer: Any) -> keras.Variable:
            return self.add_weight(name=name, shape=shape, initializer=initializer, autocast=False)

        self.depthwise_kernel = weight("depthwise_kernel", (7, 7, channels, 1), _initializer())
        self.depthwise_bias = weight("depthwise_bias", (channels,), "zeros")
        self.norm_gamma = weight("norm_gamma", (channels,), "ones")
        self.norm_beta = weight("norm_beta", (channels,), "zeros")
        self.expand_kernel = weight("expand_kernel", (channels, 4 * channels), _initializer())
        self.expand_bias = weight("expand_bias", (4 * channels,), "zeros")
        self.project_kernel = weight("project_kernel", (4 * channels, channels), _initializer())
        self.project_bias = weight("project_bias", (channels,), "zeros")
        self.scale = weight("scale", (channels,), initializers.Constant(self.layer_scale))

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """The output of the block."""
        if training and self.fast and _may_be_fast(self):
            return self._fast_call(inputs)

        def cast(weight: keras.Variable) -> keras.KerasTensor:
            return ops.cast(weight, self.compute_dtype)

        x = ops.depthwise_conv(inputs, cast(self.depthwise_kernel), padding="same")
        x = x + cast(self.depthwise_bias)
        mean, variance = ops.moments(x, axes=-1, keepdims=True)
        x = (x - mean) * ops.rsqrt(variance + EPSILON) * cast(self.norm_gamma) + cast(
            self.norm_beta
        )
        x = ops.gelu(
            ops.matmul(x, cast(self.expand_kernel)) + cast(self.expand_bias), approximate=False
        )
        x = (ops.matmul(x, cast(self.project_kernel)) + cast(self.project_bias)) * cast(self.scale)
        return inputs + self._drop(x, training)

    def _fast_call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        from . import fast_ops  # late: needs TensorFlow, other backends may not have it

        shape, channels, dtype = ops.shape(inputs), inputs.shape[-1], self.compute_dtype
        x = fast_ops.depthwise(ops.cast(inputs, "float32"), self.depthwise_kernel)
        x = fast_ops.normalize(ops.reshape(x, (-1, channels)), self.depthwise_bias, EPSILON, dtype)
        kernel = ops.cast(self.norm_gamma[:, None] * self.expand_kernel, dtype)
        bias = self.expand_bias + ops.matmul(self.norm_beta[None], self.expand_kernel)[0]
        x = fast_ops.bias_gelu(ops.matmul(x, kernel), bias)
        x = ops.matmul(x, ops.cast(self.project_kernel * self.scale, dtype))
        x = x + ops.cast(self.project_bias * self.scale, dtype)
        return inputs + self._drop(ops.reshape(x, shape), True)

    def _drop(self, x: keras.KerasTensor, training: bool) -> keras.KerasTensor:
        if not training or not self.drop_path:
            return x
        return drop_rows(x, self.drop_path, self.row_keys, self.seed_generator)

    def compute_output_shape(
        self, input_shape: tuple[int | None, int, int, int]
    ) -> tuple[int | None, int, int, int]:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "drop_path": self.drop_path,
            "layer_scale": self.layer_scale,
            "fast": self.fast,
        }
