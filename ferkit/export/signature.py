"""The exported graph, with one named input, pixels, and one named output, probabilities."""

import keras
import tensorflow as tf

from ferkit.models.interface import for_inference

INPUT, OUTPUT = "image", "probabilities"


class ExportGraph(tf.Module):
    """A model from pixels to probabilities, in operations that every runtime has.

    The model scales pixels itself, and the last layer of a released model includes its temperature.
    This class adds the softmax.

    Args:
        model: a Keras model of this program, from pixels to logits.

    Attributes:
        serve: a ``tf.function`` from ``image``, float32 ``(batch, height, width, channels)`` in
            [0, 255] with any batch size, to {"probabilities": float32 ``(batch, classes)``}.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        model = for_inference(model)
        # A SavedModel stores the variables that are attributes of its module.
        self.model_variables = [variable.value for variable in model.variables]
        pixels = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name=INPUT)

        @tf.function(input_signature=[pixels], autograph=False)
        def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
            return {OUTPUT: tf.nn.softmax(tf.cast(model(image, training=False), tf.float32))}

        self.serve = serve
