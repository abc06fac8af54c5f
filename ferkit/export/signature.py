"""What is exported: a graph with one named input, pixels, and one named output, probabilities."""

import tensorflow as tf

from ferkit.models.interface import for_inference

INPUT, OUTPUT = "image", "probabilities"


class ExportGraph(tf.Module):
    """A model from pixels to probabilities, in operations that every runtime has.

    The model scales pixels inside; a released one has its temperature in its last layer. What it
    lacks is the softmax.

    Args:
        model: a Keras model of ours, from pixels to logits.

    Attributes:
        serve: the function: ``image``, float32 ``(batch, height, width, channels)`` in [0, 255],
            any batch size, to a dictionary with "probabilities", float32 ``(batch, classes)``.
    """

    def __init__(self, model):
        super().__init__()
        model = for_inference(model)
        self.kept = [
            variable.value for variable in model.variables
        ]  # a SavedModel stores what its module holds

        @tf.function(
            input_signature=[tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name=INPUT)],
            autograph=False,
        )
        def serve(image):
            return {OUTPUT: tf.nn.softmax(tf.cast(model(image, training=False), tf.float32))}

        self.serve = serve
