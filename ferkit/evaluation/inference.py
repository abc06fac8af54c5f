"""A model's answers to many images: batch by batch, dropout off."""

import tensorflow as tf

from ferkit.input_pipeline.fit_images import resize_to_input

PIXELS_AT_ONCE = 256 * 64 * 64  # unless told otherwise
WHOLE = (0.0, 0.0, 1.0, 1.0)


class BatchedLogits:
    """A model's inference on images of one shape, traced once and used for many calls; dropout off.

    Args:
        model: a Keras model that takes pixels in [0, 255].
        image_shape: height, width and channels of the images; they are converted to the model's size and channels.

    Call arguments:
        images: uint8 array ``(rows, height, width, channels)``, or an ``ImageFiles``.
        batch_size: rows at once; None is 256 small images, and fewer large ones, which need more memory.
        mirror: predict the mirrored images.
        box: the part of them to predict, (top, left, bottom, right) in [0, 1], enlarged to the model's size.

    Returns:
        float32 array ``(rows, classes)``, logits.
    """

    def __init__(self, model, image_shape):
        size = model.input_shape[1:3]
        signature = [
            tf.TensorSpec((None, *image_shape), tf.uint8),
            tf.TensorSpec((), tf.bool),
            tf.TensorSpec((4,), tf.float32),
        ]

        @tf.function(input_signature=signature)
        def logits(images, mirror, box):
            images = tf.cond(mirror, lambda: tf.reverse(images, axis=[2]), lambda: images)
            images = resize_to_input(images, model.input_shape[1:])
            rows = tf.shape(images)[0]

            def cut():
                return tf.image.crop_and_resize(
                    images, tf.tile(box[None], (rows, 1)), tf.range(rows), size
                )

            images = tf.cond(tf.reduce_all(box == WHOLE), lambda: images, cut)
            return tf.cast(model(images, training=False), tf.float32)

        self._logits = logits
        self._pixels = size[0] * size[1]

    def __call__(self, images, batch_size=None, mirror=False, box=WHOLE):
        batch_size = batch_size or max(16, min(256, PIXELS_AT_ONCE // self._pixels))
        box = tf.constant(box, tf.float32)
        starts = range(0, len(images), batch_size)
        return tf.concat(
            [self._logits(images[start : start + batch_size], mirror, box) for start in starts],
            axis=0,
        ).numpy()
