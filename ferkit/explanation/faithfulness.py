"""Checks of explanation maps: they must depend on the weights and beat random maps."""

from collections.abc import Callable
from typing import TypedDict

import cv2
import keras
import numpy as np

from ferkit.evaluation.inference import BatchedLogits
from ferkit.evaluation.metrics import softmax

FRACTIONS = np.linspace(0.0, 1.0, 17)  # of the pixels that are blurred or restored


class ProbabilityCurve(TypedDict):
    """Mean probability of the class for each of ``FRACTIONS``, and the area under this curve."""

    curve: list[float]
    area: float


def randomization(
    model: keras.Model, draw_maps: Callable[[], np.ndarray], shuffles: int = 1
) -> float:
    """Mean rank correlation of maps before and after all kernels are shuffled; 0 is good.

    The weights of the model are restored afterwards.

    Args:
        model: the model that the maps explain.
        draw_maps: draws float maps ``(n, height, width)`` of the same faces and classes with the
            model's present weights.
        shuffles: number of shuffles to average over, with seeds 0, 1 and so on. A single shuffle
            may mark the same or the opposite pixels by chance.

    Reference: Adebayo et al., arXiv 1810.03292.
    """
    correlations: list[float] = []
    before, weights = draw_maps(), model.get_weights()
    try:
        for seed in range(shuffles):
            rng = np.random.default_rng(seed)
            model.set_weights(
                [rng.permutation(w.ravel()).reshape(w.shape) if w.ndim > 1 else w for w in weights]
            )
            pairs = zip(before, draw_maps(), strict=True)
            correlations += [_rank_correlation(*pair) for pair in pairs]
    finally:
        model.set_weights(weights)
    return float(np.mean(correlations))


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rank correlation; 0 if a map is constant."""
    if np.ptp(first) < 1e-12 or np.ptp(second) < 1e-12:
        return 0.0
    ranks = np.stack([_ranks(first.ravel()), _ranks(second.ravel())])
    return float(np.corrcoef(ranks)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values)).astype(float)


def deletion_and_insertion(
    model: keras.Model, faces: np.ndarray, maps: np.ndarray, classes: np.ndarray, seed: int = 0
) -> dict[str, ProbabilityCurve]:
    """Mean probability of the class while pixels are blurred or restored, most important first.

    With a faithful map, deletion falls faster and insertion rises faster than with a random map.
    The random map is smooth noise, as coarse as the maps: a random order of single pixels would be
    too easy to beat.

    Args:
        model: a model of pixels in [0, 255].
        faces: uint8 ``(n, size, size, channels)``.
        maps: float ``(n, size, size)``, larger is more important.
        classes: int ``(n,)``.
        seed: seed of the random map.

    Returns:
        A curve for each of "deletion", "insertion", "deletion_random" and "insertion_random".

    Reference: Petsiuk et al., arXiv 1806.07421, section 3.2.
    """
    logits_of, size = BatchedLogits(model, faces.shape[1:]), faces.shape[1]
    blurred = np.stack([_blurred(face) for face in faces])
    noise = np.random.default_rng(seed).normal(size=maps.shape)
    noise = np.stack([cv2.GaussianBlur(values, (0, 0), size / 8) for values in noise])

    def curve(ranks: np.ndarray, changed: np.ndarray, unchanged: np.ndarray) -> ProbabilityCurve:
        points = []
        for fraction in FRACTIONS:
            is_changed = (ranks < fraction * size * size)[..., None]
            logits = logits_of(np.where(is_changed, changed, unchanged))
            probabilities = softmax(logits.astype(np.float64))
            points.append(float(probabilities[np.arange(len(faces)), classes].mean()))
        return {"curve": points, "area": float(np.trapezoid(points, FRACTIONS))}

    curves = {}
    for suffix, importance in (("", maps), ("_random", noise)):
        ranks = _importance_ranks(importance)
        curves[f"deletion{suffix}"] = curve(ranks, blurred, faces)
        curves[f"insertion{suffix}"] = curve(ranks, faces, blurred)
    return curves


def _importance_ranks(maps: np.ndarray) -> np.ndarray:
    """Rank of each pixel within its map, 0 for the most important; the shape of `maps`."""
    order = np.argsort(-maps.reshape(len(maps), -1), axis=1, kind="stable")
    return np.argsort(order, axis=1).reshape(maps.shape)


def _blurred(face: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(face, (0, 0), face.shape[0] / 8).reshape(face.shape)
