"""What the model misses most when it is covered.

The important regions of arXiv 1902.01019, section 4.3, as a measured map.
"""

import numpy as np

from ferkit.evaluation.inference import BatchedLogits
from ferkit.evaluation.metrics import softmax

PATCH, STEP = 10, 3  # pixels of a 48-pixel face
GRAY = 127


def occlusion_maps(model, faces: np.ndarray, classes) -> np.ndarray:
    """By how much the probability of a class falls when a place is covered.

    A gray square (10 of 48 pixels wide) is moved over the face in steps of 3. A pixel's value is
    the mean fall over all squares that cover it, rises counting as 0. (The paper marks where the
    covered face is classified wrongly; the fall says how much.)

    Args:
        model: a Keras model of ours.
        faces: uint8 ``(n, size, size, channels)`` of the model's input size.
        classes: int ``(n,)``, or one for all.

    Returns:
        float64 ``(n, size, size)`` in [0, 1], a fall of probability; not scaled.
    """
    function, size = BatchedLogits(model, faces.shape[1:]), faces.shape[1]
    patch, step = max(1, round(size * PATCH / 48)), max(1, round(size * STEP / 48))
    starts = list(range(1 - patch + step, size, step))
    boxes = [
        (max(y, 0), min(y + patch, size), max(x, 0), min(x + patch, size))
        for y in starts
        for x in starts
    ]
    maps = []
    for face, label in zip(faces, np.broadcast_to(np.asarray(classes), (len(faces),)), strict=True):
        covered = np.repeat(face[None], len(boxes) + 1, axis=0)
        for image, (top, bottom, left, right) in zip(covered[1:], boxes, strict=True):
            image[top:bottom, left:right] = GRAY
        probabilities = softmax(function(covered).astype(np.float64))[:, label]
        fall, count = np.zeros((size, size)), np.zeros((size, size))
        for (top, bottom, left, right), p in zip(boxes, probabilities[1:], strict=True):
            fall[top:bottom, left:right] += max(probabilities[0] - p, 0.0)
            count[top:bottom, left:right] += 1
        maps.append(fall / np.maximum(count, 1))
    return np.stack(maps) if maps else np.zeros((0, size, size))
