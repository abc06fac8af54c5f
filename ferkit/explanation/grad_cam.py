"""Grad-CAM (arXiv 1610.02391) and Grad-CAM++ (arXiv 1710.11063), placed where the network looks."""

import importlib

import numpy as np
import tensorflow as tf

from ferkit.errors import UserError
from ferkit.models.registry import entry_of_model

METHODS = ("grad-cam", "grad-cam++")
_PROBES = 4  # noise images that the place of a map's cells is measured with


class Explainer:
    """Class activation maps of a model.

    A map's cell is drawn where on the face its pixels lie: the centre of what the middle cell sees
    is measured by gradients, since strided convolutions shift it by several pixels, and the
    transformer's warp is undone.

    Args:
        model: a Keras model of ours.

    Attributes:
        names: of the maps: "features", and for DAN "head0" and so on.

    Example:
        >>> maps = Explainer(model).maps(faces, classes=logits.argmax(axis=1))["features"]
    """

    def __init__(self, model):
        entry = entry_of_model(model)
        self.model, self._package = model, importlib.import_module(f"{entry.package}.explanation")
        self._traced = self._package.feature_tap(model)
        probe = tf.zeros((1, *model.input_shape[1:]))
        self.names = tuple(self._traced(probe)[0])
        self._first, self._step = self._places()

    def maps(self, faces: np.ndarray, classes, method: str = "grad-cam") -> dict[str, np.ndarray]:
        """How much each place of a face speaks for a class.

        Args:
            faces: uint8 or float ``(n, height, width, channels)`` of the model's input size, in [0,
                255].
            classes: int ``(n,)``, one class for each face, or one for all.
            method: of ``METHODS``.

        Returns:
            name -> float64 ``(n, height, width)`` in [0, 1], the strongest place 1; all 0 where
            nothing speaks for the class.
        """
        if method not in METHODS:
            raise UserError(f"--method {method}: unknown; choose from {', '.join(METHODS)}.")
        pixels = tf.convert_to_tensor(np.asarray(faces, np.float32))
        classes = np.broadcast_to(np.asarray(classes, np.int32), (len(faces),))
        found, gradients = self._gradients(pixels, tf.constant(classes))
        combine = _grad_cam if method == "grad-cam" else _grad_cam_plus_plus
        return {
            name: self._placed(pixels, combine(found[name], gradients[name])) for name in self.names
        }

    def _gradients(self, pixels, classes):
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            found, logits = self._traced(pixels)
            score = tf.reduce_sum(tf.gather(tf.cast(logits, tf.float32), classes, batch_dims=1))
        gradients = tape.gradient(score, found)
        return (
            {name: value.numpy().astype(np.float64) for name, value in some.items()}
            for some in (found, gradients)
        )

    def _placed(self, pixels, values):
        """Cells ``(n, h, w)`` as maps of the face's size, the strongest place 1."""
        height, width = pixels.shape[1:3]
        rows = _weights(values.shape[1], height, self._first[0], self._step[0])
        columns = _weights(values.shape[2], width, self._first[1], self._step[1])
        large = np.einsum("yi,nij,xj->nyx", rows, values, columns)
        large = self._package.map_to_face(self.model, pixels.numpy(), large)
        most = large.max(axis=(1, 2), keepdims=True, initial=0.0)
        return np.divide(large, most, out=np.zeros_like(large), where=most > 1e-12)

    def _places(self):
        """The pixel at which the first cell of the map lies, and pixels from cell to cell, (y, x)
        each.
        """
        maker, middle_gray = self._package.feature_extractor(self.model)
        shape = tuple(maker.inputs[0].shape[1:])
        spread = 40.0 if middle_gray else 40.0 / 127.5
        noise = tf.constant(
            np.random.default_rng(0).normal(middle_gray, spread, (_PROBES, *shape)), tf.float32
        )
        with tf.GradientTape() as tape:
            tape.watch(noise)
            cells = maker(noise, training=False)
            middle = [size // 2 for size in cells.shape[1:3]]
            seen = tf.reduce_sum(tf.abs(cells[:, middle[0], middle[1]]))
        strength = (
            tf.reduce_sum(tf.abs(tape.gradient(seen, noise)), axis=(0, 3))
            .numpy()
            .astype(np.float64)
        )
        step = [
            pixels / size
            for pixels, size in zip(shape[:2], _strides(cells.shape[1:3], shape[:2]), strict=True)
        ]
        total = max(strength.sum(), 1e-12)
        centre = [
            (strength.sum(axis=1 - axis) @ np.arange(strength.shape[axis])) / total
            for axis in (0, 1)
        ]
        return [c - m * s for c, m, s in zip(centre, middle, step, strict=True)], step


def _strides(cells, pixels):
    """How many cells would tile the image.

    Valid convolutions leave fewer, at a whole power of two in pixels each.
    """
    tiles = []
    for count, size in zip(cells, pixels, strict=True):
        step = 2 ** round(np.log2(size / count))
        tiles.append(size / step if size / count - step < step else count)
    return tiles


def _weights(cells, pixels, first, step):
    """``(pixels, cells)``.

    Linear interpolation between the centres of cells, constant beyond the outermost.
    """
    place = np.clip((np.arange(pixels) - first) / step, 0, cells - 1)
    low = np.minimum(place.astype(int), max(cells - 2, 0))
    weights = np.zeros((pixels, cells))
    weights[np.arange(pixels), low] = 1 - (place - low)
    if cells > 1:
        weights[np.arange(pixels), low + 1] += place - low
    return weights


def _grad_cam(features, gradients):
    """Channels weighed by their mean gradient (equations 1 and 2)."""
    weights = gradients.mean(axis=(1, 2), keepdims=True)
    return np.maximum((weights * features).sum(axis=-1), 0.0)


def _grad_cam_plus_plus(features, gradients):
    """Channels weighed by their positive gradients, each place by alpha (equations 10 and 19, for
    an exponential score).
    """
    square, cube = gradients**2, gradients**3
    below = 2 * square + features.sum(axis=(1, 2), keepdims=True) * cube
    alpha = np.divide(square, below, out=np.zeros_like(square), where=np.abs(below) > 1e-20)
    weights = (alpha * np.maximum(gradients, 0.0)).sum(axis=(1, 2), keepdims=True)
    return np.maximum((weights * features).sum(axis=-1), 0.0)
