"""A linear classifier of pixels."""

import keras


@keras.saving.register_keras_serializable(package="tiny_model")
class TinyModel(keras.Model):
    """Pixels ``(batch, image_size, image_size, channels)`` to logits ``(batch, classes)``."""

    def __init__(self, class_names, image_size=48, channels=1, bias=True, **options):
        inputs = keras.Input((image_size, image_size, channels))
        x = keras.layers.Rescaling(1 / 255)(inputs)
        x = keras.layers.AveragePooling2D(4, name="blur")(x)
        x = keras.layers.Flatten()(x)
        x = keras.layers.Dense(len(class_names), use_bias=bias, name="logits")(x)
        super().__init__(inputs, x, **options)
        self.class_names, self.image_size = tuple(class_names), image_size
        self.channels, self.bias = channels, bias

    def get_config(self):
        return {
            "class_names": self.class_names,
            "image_size": self.image_size,
            "channels": self.channels,
            "bias": self.bias,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)
