"""Grad-CAM (arXiv 1610.02391) and Grad-CAM++ (arXiv 1710.11063), aligned with the face."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from ferkit.errors import UserError
from ferkit.models.interface import ModelPackage
from ferkit.models.registry import MODELS, entry_of_model

METHODS = ("grad-cam", "grad-cam++")
_NOISE_IMAGES = 4  # number of random images with which the position of a map's cells is measured


class Explainer:
    """Class activation maps of a model.

    Each cell of a feature map is drawn at the center of its receptive field. Strided convolutions
    shift this center by several pixels, so it is measured by gradients. The warp of a spatial
    transformer is undone.

    Args:
        model: a model of this program, ``DeepEmotion`` or ``DAN``.

    Attributes:
        model: the model.
        package: the package that it belongs to.
        names: names of the maps: "features", and for DAN also "head0", "head1" and so on.
        feature_tap: a function from pixels to (feature maps by name, logits); gradients flow
            through it.
        first_center: pixel (y, x) at the center of the first cell.
        cell_step: pixels from one cell to the next (y, x).

    Raises:
        UserError: not a model of this program.

    Example:
        >>> maps = Explainer(model).maps(faces, classes=logits.argmax(axis=1))["features"]
    """

    def __init__(self, model: keras.Model) -> None:
        self.model, self.package = model, package_of_model(model)
        self.feature_tap = self.package.explanation.feature_tap(model)
        black = tf.zeros((1, *model.input_shape[1:]))
        self.names = tuple(self.feature_tap(black)[0])
        self.first_center, self.cell_step = self._cell_positions()

    def maps(
        self, faces: np.ndarray, classes: np.ndarray | int, method: str = "grad-cam"
    ) -> dict[str, np.ndarray]:
        """How much each pixel of a face supports a class.

        Args:
            faces: uint8 or float ``(n, height, width, channels)`` of the model's input size, in
                [0, 255].
            classes: int ``(n,)``, one class for each face, or one class for all faces.
            method: one of ``METHODS``.

        Returns:
            name -> float64 ``(n, height, width)`` in [0, 1] with maximum 1; all 0 if nothing in the
            face supports the class.

        Raises:
            UserError: unknown method.
        """
        if method not in METHODS:
            raise UserError(f"--method {method}", "unknown", f"choose from {', '.join(METHODS)}")
        pixels = tf.convert_to_tensor(np.asarray(faces, np.float32))
        classes = np.broadcast_to(np.asarray(classes, np.int32), (len(faces),))
        features, gradients = self._features_and_gradients(pixels, tf.constant(classes))
        combine = grad_cam_cells if method == "grad-cam" else grad_cam_plus_plus_cells
        return {
            name: self._map_of_face(pixels, combine(features[name], gradients[name]))
            for name in self.names
        }

    def _features_and_gradients(
        self, pixels: tf.Tensor, classes: tf.Tensor
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Feature maps and the gradients of the class's logit, float64 ``(n, h, w, channels)``."""
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            features, logits = self.feature_tap(pixels)
            score = tf.reduce_sum(tf.gather(tf.cast(logits, tf.float32), classes, batch_dims=1))
        gradients = tape.gradient(score, features)
        return _as_float64(features), _as_float64(gradients)

    def _map_of_face(self, pixels: tf.Tensor, cells: np.ndarray) -> np.ndarray:
        """Cells ``(n, h, w)`` as maps of the face's size with maximum 1."""
        height, width = pixels.shape[1:3]
        (first_y, first_x), (step_y, step_x) = self.first_center, self.cell_step
        rows = interpolation_weights(cells.shape[1], height, first_y, step_y)
        columns = interpolation_weights(cells.shape[2], width, first_x, step_x)
        maps = np.einsum("yi,nij,xj->nyx", rows, cells, columns)
        maps = self.package.explanation.map_to_face(self.model, pixels.numpy(), maps)
        maximum = maps.max(axis=(1, 2), keepdims=True, initial=0.0)
        return np.divide(maps, maximum, out=np.zeros_like(maps), where=maximum > 1e-12)

    def _cell_positions(self) -> tuple[list[float], list[float]]:
        """Center of the first cell, and distance between cells, in pixels; (y, x) each.

        The center of the middle cell's receptive field is the mean position of the pixels,
        weighted by the gradient of the cell's absolute values for noise images.
        """
        extractor, middle_gray = self.package.explanation.feature_extractor(self.model)
        shape = tuple(extractor.inputs[0].shape[1:])
        spread = 40.0 if middle_gray else 40.0 / 127.5
        noise = tf.constant(
            np.random.default_rng(0).normal(middle_gray, spread, (_NOISE_IMAGES, *shape)),
            tf.float32,
        )
        with tf.GradientTape() as tape:
            tape.watch(noise)
            cells = extractor(noise, training=False)
            middle = [size // 2 for size in cells.shape[1:3]]
            activation = tf.reduce_sum(tf.abs(cells[:, middle[0], middle[1]]))
        gradient = tf.reduce_sum(tf.abs(tape.gradient(activation, noise)), axis=(0, 3))
        strength = gradient.numpy().astype(np.float64)
        counts = _cells_that_tile(cells.shape[1:3], shape[:2])
        step = [pixels / count for pixels, count in zip(shape[:2], counts, strict=True)]
        total = max(strength.sum(), 1e-12)
        center = [
            (strength.sum(axis=1 - axis) @ np.arange(strength.shape[axis])) / total
            for axis in (0, 1)
        ]
        return [c - m * s for c, m, s in zip(center, middle, step, strict=True)], step


def package_of_model(model: keras.Model) -> ModelPackage:
    """The package that a model belongs to.

    Raises:
        UserError: not a model of this program.
    """
    package = entry_of_model(model)
    if package is None:
        classes = ", ".join(known.class_name for known in MODELS.values())
        problem = "not a model of this program, so it cannot be explained"
        raise UserError(type(model).__name__, problem, f"use a model of these classes: {classes}")
    return package


def _as_float64(tensors: dict[str, tf.Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.numpy().astype(np.float64) for name, tensor in tensors.items()}


def _cells_that_tile(cells: Sequence[int], pixels: Sequence[int]) -> list[float]:
    """How many cells would tile the image, for each axis.

    Valid convolutions leave fewer cells than that. If so, the distance between cells is a power of
    two in pixels.
    """
    tiles: list[float] = []
    for count, size in zip(cells, pixels, strict=True):
        step = 2 ** round(np.log2(size / count))
        tiles.append(size / step if size / count - step < step else count)
    return tiles


def interpolation_weights(cells: int, pixels: int, first: float, step: float) -> np.ndarray:
    """Weights ``(pixels, cells)`` of linear interpolation along one axis.

    Args:
        cells: number of cells.
        pixels: number of pixels.
        first: pixel at the center of the first cell.
        step: pixels from one cell to the next. Beyond the outermost centers, values are constant.
    """
    position = np.clip((np.arange(pixels) - first) / step, 0, cells - 1)
    low = np.minimum(position.astype(int), max(cells - 2, 0))
    weights = np.zeros((pixels, cells))
    weights[np.arange(pixels), low] = 1 - (position - low)
    if cells > 1:
        weights[np.arange(pixels), low + 1] += position - low
    return weights


def grad_cam_cells(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Grad-CAM: channels weighted by their mean gradient.

    Args:
        features: float ``(n, h, w, channels)``.
        gradients: of the class's logit, the same shape.

    Returns:
        float ``(n, h, w)``, at least 0.

    Reference: arXiv 1610.02391, equations 1 and 2.
    """
    weights = gradients.mean(axis=(1, 2), keepdims=True)
    return np.maximum((weights * features).sum(axis=-1), 0.0)


def grad_cam_plus_plus_cells(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Grad-CAM++: channels weighted by their positive gradients, and each cell by alpha.

    Arguments and result are those of ``grad_cam_cells``.

    Reference: arXiv 1710.11063, equations 10 and 19, for an exponential score.
    """
    square, cube = gradients**2, gradients**3
    denominator = 2 * square + features.sum(axis=(1, 2), keepdims=True) * cube
    alpha = np.divide(
        square, denominator, out=np.zeros_like(square), where=np.abs(denominator) > 1e-20
    )
    weights = (alpha * np.maximum(gradients, 0.0)).sum(axis=(1, 2), keepdims=True)
    return np.maximum((weights * features).sum(axis=-1), 0.0)
