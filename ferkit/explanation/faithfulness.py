"""Do the maps mean anything? They must change when weights do, and what they mark must matter more
than chance.
"""

import cv2
import numpy as np

from ferkit.evaluation.inference import BatchedLogits
from ferkit.evaluation.metrics import softmax
from ferkit.explanation.grad_cam import Explainer

SHARES = np.linspace(0.0, 1.0, 17)  # of the pixels that are taken away or put back


def randomization(
    explainer: Explainer, faces: np.ndarray, classes, method: str = "grad-cam", shuffles: int = 1
) -> float:
    """Mean rank correlation of maps before and after all kernels are shuffled (Adebayo et al.,
    arXiv 1810.03292): 0 is good.

    The model is left as it was.

    Args:
        explainer: of the model.
        faces: uint8 ``(n, size, size, channels)``.
        classes: int ``(n,)``.
        method: see ``Explainer.maps``.
        shuffles: mean over so many, of seeds 0, 1, ...: one alone may happen to mark the same
            places, or the opposite ones.
    """
    model, correlations = explainer.model, []
    before, kept = explainer.maps(faces, classes, method)["features"], model.get_weights()
    try:
        for seed in range(shuffles):
            numbers = np.random.default_rng(seed)
            model.set_weights(
                [numbers.permutation(w.ravel()).reshape(w.shape) if w.ndim > 1 else w for w in kept]
            )
            after = explainer.maps(faces, classes, method)["features"]
            correlations += [_rank_correlation(a, b) for a, b in zip(before, after, strict=True)]
    finally:
        model.set_weights(kept)
    return float(np.mean(correlations))


def _rank_correlation(one, other):
    """Spearman's; 0 where a map is the same everywhere."""
    ranks = [np.argsort(np.argsort(values.ravel())).astype(float) for values in (one, other)]
    if np.ptp(one) < 1e-12 or np.ptp(other) < 1e-12:
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])


def deletion_and_insertion(
    model, faces: np.ndarray, maps: np.ndarray, classes, seed: int = 0
) -> dict[str, dict]:
    """The class's mean probability while pixels are blurred, the most important first, and while
    they are put back.

    A map that means something makes deletion fall faster, and insertion rise faster, than a random
    order of places. The random order is of smooth noise as coarse as the maps, not of single
    pixels, which would be an easy opponent.

    Args:
        model: a Keras model of ours.
        faces: uint8 ``(n, size, size, channels)``.
        maps: float ``(n, size, size)``, larger is more important.
        classes: int ``(n,)``.
        seed: of the random order.

    Returns:
        "deletion", "deletion_random", "insertion", "insertion_random", each {"curve": mean
        probability by share of pixels, "area": the area under it}. Reference: Petsiuk et al., arXiv
        1806.07421, section 3.2.
    """
    function, size = BatchedLogits(model, faces.shape[1:]), faces.shape[1]
    blurred = np.stack([_blurred(face) for face in faces])
    noise = np.random.default_rng(seed).normal(size=maps.shape)
    noise = np.stack([cv2.GaussianBlur(one, (0, 0), size / 8) for one in noise])
    curves = {}
    for name, values in (("", maps), ("_random", noise)):
        order = np.argsort(
            np.argsort(-values.reshape(len(faces), -1), axis=1, kind="stable"), axis=1
        ).reshape(maps.shape)
        for kind, (first, second) in (
            ("deletion", (blurred, faces)),
            ("insertion", (faces, blurred)),
        ):
            points = []
            for share in SHARES:
                chosen = (order < share * size * size)[..., None]
                logits = function(np.where(chosen, first, second))
                points.append(
                    softmax(logits.astype(np.float64))[np.arange(len(faces)), classes].mean()
                )
            curve = [float(p) for p in points]
            curves[kind + name] = {"curve": curve, "area": float(np.trapezoid(curve, SHARES))}
    return curves


def _blurred(face):
    smooth = cv2.GaussianBlur(face, (0, 0), face.shape[0] / 8)
    return smooth.reshape(face.shape)
