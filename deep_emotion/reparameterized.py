"""Structural reparameterization: layers that train as a sum of branches and fold into one layer.

A branch is a convolution or dense layer without an activation, followed by batch normalization.
With fixed statistics a branch equals one such layer with other weights, and so does a sum of
branches. A network can therefore train with branches and batch normalization, and afterwards be
the plain network with the same outputs (Ding et al., RepVGG, arXiv 2101.03697, section 3.3).
"""

from typing import Any

import keras
from keras import layers, ops

from .normalization import FusedBatchNormalization

# In bfloat16, oneDNN normalizes a multiple of 16 channels 15 to 20 times as fast as 10 channels.
LANES = 16


class ReparameterizedLayer(layers.Layer):
    """Base class of both layers.

    The kernel is ``(*window, inputs, LANES * n)``; its first ``units * branches`` outputs are used.
    """

    def __init__(
        self,
        units: int,
        branches: int = 1,
        activation: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.branches = units, branches
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.normalization = FusedBatchNormalization(
            momentum=0.95, epsilon=1e-5, name="normalization"
        )

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "units": self.units,
            "branches": self.branches,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the kernel of all branches and their batch normalization."""
        wide = -(-self.units * self.branches // LANES) * LANES
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self._window, input_shape[-1], wide),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.normalization.build((None, None, None, wide))

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """The branches in training; otherwise the folded layer."""
        if not training:
            kernel, bias = self.folded()
            outputs = self._linear(inputs, ops.cast(kernel, self.compute_dtype)) + ops.cast(
                bias, self.compute_dtype
            )
        else:
            branches = self._maps(self._linear(inputs, self.kernel))
            normalized = self.normalization(branches, training=True)
            outputs = self._vectors(
                ops.matmul(normalized, ops.cast(self._sum(), self.compute_dtype))
            )
        return self.activation(outputs)

    def _sum(self) -> keras.KerasTensor:
        """Zeros and ones, ``(LANES * n, units)``: adds branches and drops the unused outputs."""
        index = ops.arange(self.kernel.shape[-1])[:, None]
        used = index < self.units * self.branches
        return ops.cast((index % self.units == ops.arange(self.units)) & used, "float32")

    def folded(self) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """``(kernel, bias)``, float32, of the equivalent plain layer, before the activation."""
        norm = self.normalization
        scale = ops.convert_to_tensor(norm.gamma) * ops.rsqrt(
            ops.convert_to_tensor(norm.moving_variance) + norm.epsilon
        )
        shift = ops.convert_to_tensor(norm.beta) - ops.convert_to_tensor(norm.moving_mean) * scale
        total = self._sum()
        kernel = ops.matmul(ops.cast(self.kernel, "float32") * scale, total)
        return kernel, ops.matmul(shift[None], total)[0]

    def _maps(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """As ``(batch, height, width, channels)``, the input shape of the normalization."""
        return x

    def _vectors(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """The inverse of ``_maps``."""
        return x


@keras.saving.register_keras_serializable(package="deep_emotion", name="BranchedConv2D")
class ReparameterizedConv2D(ReparameterizedLayer):
    """A convolution of stride 1 that trains as a sum of batch-normalized branches.

    Args:
        units: count of filters.
        kernel_size: in pixels, in both directions.
        branches: at least 1.
        padding: "valid" or "same".

    Input shape, output shape:
        ``(batch, height, width, inputs)`` -> ``(batch, height', width', units)``.
    """

    def __init__(
        self,
        units: int,
        kernel_size: int = 3,
        branches: int = 1,
        padding: str = "valid",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, branches, **kwargs)
        self.kernel_size, self.padding = kernel_size, padding
        self._window = (kernel_size, kernel_size)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "kernel_size": self.kernel_size, "padding": self.padding}

    def _linear(self, x: keras.KerasTensor, kernel: keras.KerasTensor) -> keras.KerasTensor:
        return ops.conv(x, kernel, padding=self.padding)


@keras.saving.register_keras_serializable(package="deep_emotion", name="BranchedDense")
class ReparameterizedDense(ReparameterizedLayer):
    """A dense layer that trains as a sum of batch-normalized branches.

    Args:
        units: count of outputs.
        branches: at least 1.

    Input shape, output shape:
        ``(batch, inputs)`` -> ``(batch, units)``.
    """

    _window: tuple[int, ...] = ()

    def _linear(self, x: keras.KerasTensor, kernel: keras.KerasTensor) -> keras.KerasTensor:
        return ops.matmul(x, kernel)

    def _maps(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return x[:, None, None]

    def _vectors(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return x[:, 0, 0]


# Keras names the weights in a .keras file after the class. These are the class names of version
# 0.1, like the registered names, so that its files load.
ReparameterizedConv2D.__name__ = "BranchedConv2D"
ReparameterizedDense.__name__ = "BranchedDense"
