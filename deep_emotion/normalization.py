"""Batch normalization with TensorFlow's fused kernel, also in half precision.

Keras's layer computes in float32 instead.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="deep_emotion")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer, whose training step on TensorFlow is one fused pass in the inputs' precision.

    Statistics are float32 in both cases. The moving variance is unbiased, as the kernel returns
    it. With synchronized statistics over several replicas, and on other backends, it is Keras's
    layer.

    Input shape, output shape:
        ``(batch, height, width, channels)``.
    """

    def call(
        self,
        inputs: keras.KerasTensor,
        training: bool | None = None,
        mask: keras.KerasTensor | None = None,
    ) -> keras.KerasTensor:
        """Normalize; in training also update the moving statistics."""
        if (
            not training
            or not self.trainable
            or self.synchronized
            or keras.backend.backend() != "tensorflow"
        ):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf  # late: other backends may not have it

        scale, offset = ops.convert_to_tensor(self.gamma), ops.convert_to_tensor(self.beta)
        result = tf.raw_ops.FusedBatchNormV3(
            x=inputs, scale=scale, offset=offset, mean=[], variance=[], epsilon=self.epsilon
        )
        for moving, batch in (
            (self.moving_mean, result.batch_mean),
            (self.moving_variance, result.batch_variance),
        ):
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return result.y
