"""Layers that are several while a net trains: a sum of linear branches, batch normalized each, that fold into one plain layer.

A convolution or dense layer without an activation, and batch normalization with fixed statistics behind it, are together one
such layer with other weights; so is a sum of them. A net can so train with what makes training easy, and be the plain net
afterwards, number for number (Ding et al., RepVGG, arXiv 2101.03697, section 3.3).
"""

import keras
from keras import layers, ops

from .normalization import FusedBatchNormalization

LANES = (
    16  # oneDNN normalizes a multiple of so many channels in bfloat16 15 to 20 times as fast as ten
)


class BranchedLayer(layers.Layer):
    """What both kinds share: kernel ``(*window, inputs, LANES * n)``, of which the first ``units * branches`` outputs count."""

    def __init__(
        self,
        units,
        branches=1,
        activation=None,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units, self.branches = units, branches
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.normalization = FusedBatchNormalization(
            momentum=0.95, epsilon=1e-5, name="normalization"
        )

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "branches": self.branches,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }

    def build(self, input_shape):
        wide = -(-self.units * self.branches // LANES) * LANES
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self._window, input_shape[-1], wide),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.normalization.build((None, None, None, wide))

    def call(self, inputs, training=None):
        if not training:
            kernel, bias = self.folded()
            outputs = self._linear(inputs, ops.cast(kernel, self.compute_dtype)) + ops.cast(
                bias, self.compute_dtype
            )
        else:
            shown = self.normalization(self._maps(self._linear(inputs, self.kernel)), training=True)
            outputs = self._vectors(ops.matmul(shown, ops.cast(self._sum(), self.compute_dtype)))
        return self.activation(outputs)

    def _sum(self):
        """0 and 1, ``(LANES * n, units)``: adds up the branches and drops what is left over."""
        place = ops.arange(self.kernel.shape[-1])[:, None]
        counts = place < self.units * self.branches
        return ops.cast((place % self.units == ops.arange(self.units)) & counts, "float32")

    def folded(self):
        """``(kernel, bias)``, float32, of the plain layer that this one is outside training, before the activation."""
        norm = self.normalization
        scale = ops.convert_to_tensor(norm.gamma) * ops.rsqrt(
            ops.convert_to_tensor(norm.moving_variance) + norm.epsilon
        )
        shift = ops.convert_to_tensor(norm.beta) - ops.convert_to_tensor(norm.moving_mean) * scale
        total = self._sum()
        kernel = ops.matmul(ops.cast(self.kernel, "float32") * scale, total)
        return kernel, ops.matmul(shift[None], total)[0]

    def _maps(self, x):
        return x

    def _vectors(self, x):
        return x


@keras.saving.register_keras_serializable(package="deep_emotion")
class BranchedConv2D(BranchedLayer):
    """A convolution of stride 1 that trains as the sum of `branches`, batch normalized each.

    Args:
        units: filters.
        kernel_size: in pixels, both ways.
        branches: at least 1.
        padding: "valid" or "same".

    Input shape, output shape:
        ``(batch, height, width, inputs)`` -> ``(batch, height', width', units)``.
    """

    def __init__(self, units, kernel_size=3, branches=1, padding="valid", **kwargs):
        super().__init__(units, branches, **kwargs)
        self.kernel_size, self.padding = kernel_size, padding
        self._window = (kernel_size, kernel_size)

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size, "padding": self.padding}

    def _linear(self, x, kernel):
        return ops.conv(x, kernel, padding=self.padding)


@keras.saving.register_keras_serializable(package="deep_emotion")
class BranchedDense(BranchedLayer):
    """A dense layer that trains as the sum of `branches`, batch normalized each: ``(batch, inputs)`` -> ``(batch, units)``."""

    _window = ()

    def _linear(self, x, kernel):
        return ops.matmul(x, kernel)

    def _maps(self, x):
        return x[:, None, None]

    def _vectors(self, x):
        return x[:, 0, 0]
