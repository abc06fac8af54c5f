"""Occlusion maps: how much the probability of a class falls when a part of the face is covered.

They show the important regions of arXiv 1902.01019, section 4.3, by degree.
"""

from collections.abc import Callable

import numpy as np

SQUARE, STEP = 10, 3  # side of the gray square and its step, in pixels of a 48-pixel face
GRAY = 127


def occlusion_maps(
    probabilities_of: Callable[[np.ndarray], np.ndarray],
    faces: np.ndarray,
    classes: np.ndarray | int,
) -> np.ndarray:
    """How much the probability of a class falls when a pixel is covered.

    A gray square (10 of 48 pixels wide) moves over the face in steps of 3. The value of a pixel is
    the mean fall over all squares that cover it; a rise counts as 0. The paper marks the positions
    at which the covered face is misclassified; the fall also shows the degree.

    Args:
        probabilities_of: a model as a function from uint8 ``(rows, size, size, channels)`` to
            probabilities ``(rows, classes)``.
        faces: uint8 ``(n, size, size, channels)`` of the model's input size.
        classes: int ``(n,)``, or one class for all faces.

    Returns:
        float64 ``(n, size, size)`` in [0, 1], a fall of probability; not scaled.
    """
    size = faces.shape[1]
    squares = _square_positions(size)
    maps = []
    for face, label in zip(faces, np.broadcast_to(np.asarray(classes), (len(faces),)), strict=True):
        covered = np.repeat(face[None], len(squares) + 1, axis=0)
        for image, (top, bottom, left, right) in zip(covered[1:], squares, strict=True):
            image[top:bottom, left:right] = GRAY
        probabilities = probabilities_of(covered)[:, label]
        fall, count = np.zeros((size, size)), np.zeros((size, size))
        for (top, bottom, left, right), p in zip(squares, probabilities[1:], strict=True):
            fall[top:bottom, left:right] += max(probabilities[0] - p, 0.0)
            count[top:bottom, left:right] += 1
        maps.append(fall / np.maximum(count, 1))
    return np.stack(maps) if maps else np.zeros((0, size, size))


def relative(fall: np.ndarray) -> np.ndarray:
    """An occlusion map, scaled so that its largest value is 1."""
    scaled: np.ndarray = fall / max(fall.max(), 1e-9)
    return scaled


def _square_positions(size: int) -> list[tuple[int, int, int, int]]:
    """Top, bottom, left and right of each square, cut off at the edges of the face."""
    side, step = max(1, round(size * SQUARE / 48)), max(1, round(size * STEP / 48))
    starts = range(1 - side + step, size, step)
    return [
        (max(y, 0), min(y + side, size), max(x, 0), min(x + side, size))
        for y in starts
        for x in starts
    ]
