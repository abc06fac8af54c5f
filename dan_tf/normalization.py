"""Batch normalization with PyTorch's conventions, with which DAN's reference was trained."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="dan_tf")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer with epsilon 1e-5, momentum 0.9 and an unbiased moving variance.

    Keras keeps the biased batch variance in its moving average; PyTorch multiplies it by
    n / (n - 1), where n is the count of values per channel in the batch. The batch itself is
    normalized with the biased variance, as usual. For a single value (a batch of one, without a
    map) the variance is 0 and the output is the offset.

    Input shape, output shape:
        ``(batch, ..., channels)``.
    """

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def call(
        self,
        inputs: keras.KerasTensor,
        training: bool | None = None,
        mask: keras.KerasTensor | None = None,
    ) -> keras.KerasTensor:
        """Normalize; in training also update the moving statistics."""
        if not training or not self.trainable:
            return super().call(inputs, training=False)
        outputs, mean, unbiased = (self._fused if self._may_fuse() else self._plain)(inputs)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return outputs

    def _may_fuse(self) -> bool:
        plain = (
            self.synchronized
            or self.compute_dtype not in ("float32", "bfloat16")
            or not (self.center and self.scale)
        )
        return not plain and keras.backend.backend() == "tensorflow"

    def _plain(
        self, inputs: keras.KerasTensor
    ) -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
        """Outputs, batch mean and unbiased batch variance with ``keras.ops``.

        Statistics are never computed in half precision.
        """
        half, inputs = inputs.dtype, ops.cast(inputs, self.variable_dtype)
        axes = list(range(len(inputs.shape) - 1))
        mean, variance = ops.moments(inputs, axes=axes, synchronized=self.synchronized)
        outputs = ops.batch_normalization(
            inputs,
            mean,
            variance,
            axis=-1,
            offset=self.beta,
            scale=self.gamma,
            epsilon=self.epsilon,
        )
        count = ops.cast(ops.size(inputs), variance.dtype) / inputs.shape[-1]
        return ops.cast(outputs, half), mean, variance * (count / ops.maximum(count - 1.0, 1.0))

    def _fused(
        self, inputs: keras.KerasTensor
    ) -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
        """The same with TensorFlow's fused kernel, which returns the unbiased variance."""
        import tensorflow as tf  # late: other backends may not have it

        shape = tf.shape(inputs)
        flat = tf.reshape(inputs, (-1, 1, 1, inputs.shape[-1]))
        scale, offset = self.gamma.value, self.beta.value
        result = tf.raw_ops.FusedBatchNormV3(
            x=flat, scale=scale, offset=offset, mean=[], variance=[], epsilon=self.epsilon
        )
        return tf.reshape(result.y, shape), result.batch_mean, result.batch_variance
