"""Cutting a face out of a photo the way the training faces lie."""

import numpy as np

# Where eyes (the one on the picture's left first), nose and mouth corners lie in FER2013's images, as shares of the side: medians
# over 1,133 images of Training in which YuNet finds a face (benchmarks/alignment.py). Left and right are made symmetric.
TRAINING_LANDMARKS = np.array(
    [[0.323, 0.390], [0.677, 0.390], [0.500, 0.600], [0.357, 0.748], [0.643, 0.748]]
)


def cut_face(
    photo: np.ndarray, face, size: int, margin: float = 0.0, align: bool = True
) -> np.ndarray:
    """A face as a square, upright where its landmarks are known.

    Args:
        photo: uint8 ``(height, width, 3)``.
        face: a ``Face``.
        size: pixels of the square's side.
        margin: how much more than in the training images is shown, as a share of the side; negative: less.
        align: turn and scale by the landmarks, where there are any; else the box decides.

    Returns:
        uint8 ``(size, size, 3)``. What lies outside the photo repeats its edge.
    """
    matrix = crop_matrix(face, size, margin, align)
    # OpenCV counts pixels by their centres, boxes and landmarks count from the corner: half a pixel on both sides.
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    return _warp(photo, matrix, size)


def crop_matrix(face, size: int, margin: float = 0.0, align: bool = True) -> np.ndarray:
    """Where ``cut_face`` puts a place of the photo: ``(2, 3)``, pixels of the photo to pixels of the crop, from their corners."""
    if align and face.landmarks is not None:
        return similarity(face.landmarks, _with_margin(TRAINING_LANDMARKS, margin) * size)
    left, top, right, bottom = face.box
    scale = size / max(
        (bottom - top) * (1.0 + margin), 1e-6
    )  # in training images the box is as high as the image
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    return np.column_stack([np.eye(2) * scale, size / 2 - centre * scale])


def _with_margin(places, margin):
    return 0.5 + (places - 0.5) / (1.0 + margin)


def similarity(points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The turn, scale and shift, ``(2, 3)``, that bring points nearest to where they are wanted (least squares; Umeyama 1991).

    Args:
        points, wanted: ``(n, 2)``, two or more.
    """
    centre, goal = points.mean(axis=0), wanted.mean(axis=0)
    a, b = points - centre, wanted - goal
    # A similarity without mirroring is the complex number s: b = s * a.
    a, b = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    s = (a.conj() @ b) / max((a.conj() @ a).real, 1e-12)
    turn = np.array([[s.real, -s.imag], [s.imag, s.real]])
    return np.column_stack([turn, goal - turn @ centre])


def _warp(photo, matrix, size):
    """The photo under `matrix`; where it shrinks, averaged first, so that fine detail does not turn into noise."""
    import cv2

    scale = np.hypot(matrix[0, 0], matrix[1, 0])
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) - 0.5
    inverse = cv2.invertAffineTransform(matrix)
    reached = corners @ inverse[:, :2].T + inverse[:, 2]
    # Only the part that is seen is averaged.
    low = np.floor(reached.min(axis=0)).astype(int) - 2
    high = np.ceil(reached.max(axis=0)).astype(int) + 3
    low, high = (
        np.clip(low, 0, [photo.shape[1] - 1, photo.shape[0] - 1]),
        np.clip(high, 1, [photo.shape[1], photo.shape[0]]),
    )
    high = np.maximum(high, low + 1)
    part = np.ascontiguousarray(photo[low[1] : high[1], low[0] : high[0]])
    matrix = matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ low
    steps = int(np.floor(np.log2(1.0 / scale))) if scale < 0.5 else 0
    if steps:
        factor = 2**steps
        height, width = max(1, round(part.shape[0] / factor)), max(1, round(part.shape[1] / factor))
        shrink = np.array([width / part.shape[1], height / part.shape[0]])
        part = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
        # From centre to centre: x_small = (x + 0.5) * shrink - 0.5.
        unshrink = np.diag(1 / shrink)
        matrix = np.column_stack(
            [matrix[:, :2] @ unshrink, matrix[:, 2] + matrix[:, :2] @ (0.5 / shrink - 0.5)]
        )
    return cv2.warpAffine(
        part, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
