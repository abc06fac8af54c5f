"""Inference on many images in batches, without dropout."""

import keras
import numpy as np
import tensorflow as tf

from ferkit.input_pipeline.fit_images import resize_to_input
from generate_data.images.lazy_array import ImageFiles

Box = tuple[float, float, float, float]  # top, left, bottom, right in [0, 1]
BATCH_PIXELS = 256 * 64 * 64  # default batch: 256 small images, fewer large ones
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


class BatchedLogits:
    """Inference on images of one shape, traced once and used for many calls.

    Args:
        model: a model of pixels in [0, 255].
        image_shape: height, width and channels of the images, which are converted to the model's
            size and channels.
    """

    def __init__(self, model: keras.Model, image_shape: tuple[int, ...]) -> None:
        size = model.input_shape[1:3]
        signature = [
            tf.TensorSpec((None, *image_shape), tf.uint8),
            tf.TensorSpec((), tf.bool),
            tf.TensorSpec((4,), tf.float32),
        ]

        @tf.function(input_signature=signature)
        def logits(images: tf.Tensor, mirror: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
            images = tf.cond(mirror, lambda: tf.reverse(images, axis=[2]), lambda: images)
            images = resize_to_input(images, model.input_shape[1:])
            rows = tf.shape(images)[0]

            def cropped() -> tf.Tensor:
                return tf.image.crop_and_resize(
                    images, tf.tile(box[None], (rows, 1)), tf.range(rows), size
                )

            images = tf.cond(tf.reduce_all(box == WHOLE), lambda: images, cropped)
            return tf.cast(model(images, training=False), tf.float32)

        self._logits = logits
        self._pixels = size[0] * size[1]

    def __call__(
        self,
        images: np.ndarray | ImageFiles,
        batch_size: int | None = None,
        mirror: bool = False,
        box: Box = WHOLE,
    ) -> np.ndarray:
        """Logits, float32 ``(rows, classes)``.

        Args:
            images: uint8 ``(rows, height, width, channels)``.
            batch_size: rows per batch; None: 256 small images, fewer large ones.
            mirror: predict the mirrored images.
            box: part of the images to predict, enlarged to the model's size.
        """
        batch_size = batch_size or max(16, min(256, BATCH_PIXELS // self._pixels))
        part = tf.constant(box, tf.float32)
        starts = range(0, len(images), batch_size)
        return tf.concat(
            [self._logits(images[start : start + batch_size], mirror, part) for start in starts],
            axis=0,
        ).numpy()
