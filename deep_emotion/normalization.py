"""Batch normalization by TensorFlow's fused kernel also in half precision, where Keras's layer computes in float32."""

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="deep_emotion")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer; a training step on TensorFlow takes one fused pass, in the precision of its inputs.

    Its statistics are float32 either way, and the moving variance is unbiased, as the kernel gives it. Over several replicas,
    where statistics must be shared, and on other backends it is Keras's layer.

    Input shape, output shape:
        ``(batch, height, width, channels)``.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: None = None) -> tf.Tensor:
        if (
            not training
            or not self.trainable
            or self.synchronized
            or keras.backend.backend() != "tensorflow"
        ):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

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
