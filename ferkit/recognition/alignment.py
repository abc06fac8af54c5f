"""Crops a face out of a photo so that it is placed like the faces of the training images."""

import cv2
import numpy as np

from ferkit.recognition.faces import Face

# Eyes (the left one in the picture first), nose and mouth corners in FER2013's images, as fractions
# of the side: medians over 1,133 Training images in which YuNet finds a face
# (benchmarks/alignment.py), made symmetric.
TRAINING_LANDMARKS = np.array(
    [[0.323, 0.390], [0.677, 0.390], [0.500, 0.600], [0.357, 0.748], [0.643, 0.748]]
)


def cut_face(
    photo: np.ndarray, face: Face, size: int, margin: float = 0.0, align: bool = True
) -> np.ndarray:
    """A face as a square crop, upright if its landmarks are known.

    Args:
        photo: uint8 ``(height, width, 3)``.
        face: the detected face.
        size: side of the crop in pixels.
        margin: extra margin, compared with the training images, as a fraction of the side; may be
            negative.
        align: rotate and scale by the landmarks, if there are any; otherwise use the box.

    Returns:
        uint8 ``(size, size, 3)``. Outside the photo, its edge is repeated.
    """
    matrix = crop_matrix(face, size, margin, align)
    # OpenCV counts from pixel centers, boxes and landmarks from corners: half a pixel each.
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    return _warp(photo, matrix, size)


def crop_matrix(face: Face, size: int, margin: float = 0.0, align: bool = True) -> np.ndarray:
    """The affine map of ``cut_face``, ``(2, 3)``: pixels of the photo to pixels of the crop."""
    if align and face.landmarks is not None:
        return similarity(face.landmarks, _with_margin(TRAINING_LANDMARKS, margin) * size)
    left, top, right, bottom = face.box
    # In training images the box is as high as the image.
    scale = size / max((bottom - top) * (1.0 + margin), 1e-6)
    center = np.array([(left + right) / 2, (top + bottom) / 2])
    return np.column_stack([np.eye(2) * scale, size / 2 - center * scale])


def _with_margin(points: np.ndarray, margin: float) -> np.ndarray:
    return 0.5 + (points - 0.5) / (1.0 + margin)


def similarity(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The rotation, scale and shift, ``(2, 3)``, that map points to targets (least squares).

    Args:
        points: ``(n, 2)``, n at least 2.
        targets: ``(n, 2)``.

    Reference: Umeyama 1991.
    """
    center, goal = points.mean(axis=0), targets.mean(axis=0)
    a, b = points - center, targets - goal
    # A similarity without mirroring is the complex number s: b = s * a.
    a, b = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    s = (a.conj() @ b) / max((a.conj() @ a).real, 1e-12)
    turn = np.array([[s.real, -s.imag], [s.imag, s.real]])
    return np.column_stack([turn, goal - turn @ center])


def _warp(photo: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """The photo warped by `matrix`; before a reduction it is averaged, which avoids aliasing."""
    scale = np.hypot(matrix[0, 0], matrix[1, 0])
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) - 0.5
    inverse = cv2.invertAffineTransform(matrix)
    reached = corners @ inverse[:, :2].T + inverse[:, 2]
    # Only the part that the crop shows is averaged.
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
        # From center to center: x_small = (x + 0.5) * shrink - 0.5.
        unshrink = np.diag(1 / shrink)
        matrix = np.column_stack(
            [matrix[:, :2] @ unshrink, matrix[:, 2] + matrix[:, :2] @ (0.5 / shrink - 0.5)]
        )
    return cv2.warpAffine(
        part, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
