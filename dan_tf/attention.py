"""DAN's attention heads and their fusion (arXiv 2109.07270, section 3).

A head is spatial attention followed by channel attention.
"""

from typing import Any

import keras
from keras import initializers, layers, ops

from .kernel_cropping import reachable_taps
from .normalization import BatchNormalization


def _convolution(filters: int, kernel_size: tuple[int, int] | int, name: str) -> layers.Conv2D:
    """A convolution without a bias.

    The batch norm after it would cancel a bias. (The reference has one; it has no effect.)
    """
    initializer = initializers.VarianceScaling(
        2.0, mode="fan_out", distribution="untruncated_normal"
    )
    return layers.Conv2D(
        filters,
        kernel_size,
        padding="same",
        use_bias=False,
        kernel_initializer=initializer,
        name=name,
    )


def _build(layer: layers.Layer, shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """Build a layer and return the shape of its output."""
    layer.build(shape)
    return layer.compute_output_shape(shape)


@keras.saving.register_keras_serializable(package="dan_tf")
class SpatialAttention(layers.Layer):
    """Spatial attention: one map, multiplied with every channel of the input.

    1x1 convolution to `width` channels and batch norm; then the ReLU of the sum of a 3x3, a 1x3 and
    a 3x1 convolution back to the input's channels, each with batch norm; summed over channels.
    There is no ReLU after the 1x1 convolution, as in the reference code.

    Args:
        width: channels after the 1x1 convolution.

    Input shape, output shape:
        ``(batch, height, width, channels)``.
    """

    KERNELS = ((3, 3), (1, 3), (3, 1))

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width

    def build(self, input_shape: tuple[int | None, int, int, int]) -> None:
        """Create the convolutions and batch norms."""
        self.reduce = _convolution(self.width, 1, "reduce")
        self.reduce_norm = BatchNormalization(name="reduce_norm")
        narrow = _build(self.reduce, input_shape)
        self.reduce_norm.build(narrow)
        self.convolutions, self.norms = [], []
        for rows, columns in self.KERNELS:
            self.convolutions.append(
                _convolution(input_shape[-1], (rows, columns), f"conv_{rows}x{columns}")
            )
            self.norms.append(BatchNormalization(name=f"norm_{rows}x{columns}"))
            self.norms[-1].build(_build(self.convolutions[-1], narrow))

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """The input multiplied with the attention map."""
        return inputs * self.attention_map(inputs, training)

    def attention_map(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Only the map, ``(batch, height, width, 1)``; values are 0 or more."""
        narrow = self.reduce_norm(self.reduce(inputs), training=training)
        branches = []
        for convolve, norm in zip(self.convolutions, self.norms, strict=True):
            kernel = reachable_taps(convolve.kernel, *inputs.shape[1:3])
            branches.append(norm(ops.conv(narrow, kernel, padding="same"), training=training))
        return ops.sum(ops.relu(branches[0] + branches[1] + branches[2]), axis=-1, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable(package="dan_tf")
class ChannelAttention(layers.Layer):
    """Channel attention: the average over the map, each channel weighted by a sigmoid gate.

    Average -> dense to `width` -> batch norm -> ReLU -> dense back -> sigmoid, multiplied with the
    average.

    Args:
        width: units of the first dense layer.

    Input shape:
        ``(batch, height, width, channels)``.

    Output shape:
        ``(batch, channels)``.
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width

    def build(self, input_shape: tuple[int | None, int, int, int]) -> None:
        """Create the dense layers and the batch norm."""
        small = initializers.RandomNormal(stddev=0.001)
        self.squeeze = layers.Dense(
            self.width, use_bias=False, kernel_initializer=small, name="squeeze"
        )
        self.norm = BatchNormalization(name="norm")
        self.excite = layers.Dense(
            input_shape[-1], activation="sigmoid", kernel_initializer=small, name="excite"
        )
        narrow = _build(self.squeeze, (input_shape[0], input_shape[-1]))
        self.norm.build(narrow)
        self.excite.build(narrow)

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """The weighted averages."""
        pooled = ops.mean(inputs, axis=(1, 2))
        return pooled * self.excite(ops.relu(self.norm(self.squeeze(pooled), training=training)))

    def compute_output_shape(
        self, input_shape: tuple[int | None, int, int, int]
    ) -> tuple[int | None, int]:
        """``(batch, channels)``."""
        return input_shape[0], input_shape[-1]

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable(package="dan_tf")
class CrossAttentionHead(layers.Layer):
    """Spatial attention, then channel attention on its output.

    Args:
        spatial_width: channels inside the spatial attention; the reference has 256 on 512 channels.
        channel_width: units inside the channel attention; the reference has 32.

    Input shape:
        ``(batch, height, width, channels)``.

    Output shape:
        ``(batch, channels)``.
    """

    def __init__(self, spatial_width: int, channel_width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spatial_width, self.channel_width = spatial_width, channel_width

    def build(self, input_shape: tuple[int | None, int, int, int]) -> None:
        """Create both attention layers."""
        self.spatial = SpatialAttention(self.spatial_width, name="spatial")
        self.channel = ChannelAttention(self.channel_width, name="channel")
        self.spatial.build(input_shape)
        self.channel.build(input_shape)

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """The features that both attentions select."""
        return self.channel(self.spatial(inputs, training=training), training=training)

    def compute_output_shape(
        self, input_shape: tuple[int | None, int, int, int]
    ) -> tuple[int | None, int]:
        """``(batch, channels)``."""
        return input_shape[0], input_shape[-1]

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "spatial_width": self.spatial_width,
            "channel_width": self.channel_width,
        }


@keras.saving.register_keras_serializable(package="dan_tf")
class HeadFusion(layers.Layer):
    """Stack the heads and take the log-softmax across them; a single head is unchanged.

    The sum over heads, from which DAN classifies, is then largest where the heads agree.

    Input shape:
        A list of ``(batch, channels)``.

    Output shape:
        ``(batch, heads, channels)``.
    """

    def call(self, heads: list[keras.KerasTensor]) -> keras.KerasTensor:
        """The fused heads, side by side."""
        stacked = ops.stack(heads, axis=1)
        return ops.log_softmax(stacked, axis=1) if len(heads) > 1 else stacked

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, int]]
    ) -> tuple[int | None, int, int]:
        """``(batch, heads, channels)``."""
        return input_shape[0][0], len(input_shape), input_shape[0][1]
