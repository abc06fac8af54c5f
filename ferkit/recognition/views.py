"""Where YuNet looks: a view is the photo at one size, cut into overlapping tiles if it is large.

A row describes a face as YuNet does: left, top, width, height, five landmarks (x, y), score.
"""

import cv2
import numpy as np

TILE = 640  # side of a tile, without its share of the overlap
OVERLAP = 160  # pixels that neighboring tiles share; a smaller face is complete in one of them
LONGEST_VIEW = 30_000  # pixels; bounds the number of tiles of an extremely long picture
SAME_FACE = 0.6  # boxes that share this fraction of the smaller one are one face
EDGE = 2  # pixels; a box this close to a tile's inner edge may be cut off by it


def longest_side(photo: np.ndarray) -> float:
    """The side that a view is measured by, in pixels: the longest one, but of a long picture less.

    A picture of more than ``TILE / OVERLAP`` times its short side, as a scan or a screenshot, would
    be reduced until no face is left; its view keeps the short side at ``OVERLAP`` instead.
    """
    height, width = photo.shape[:2]
    return min(max(height, width), min(height, width) * TILE / OVERLAP)


def view(photo: np.ndarray, side: int) -> np.ndarray:
    """The photo reduced so that its ``longest_side`` is `side`; never enlarged."""
    height, width = photo.shape[:2]
    scale = min(1.0, side / longest_side(photo), LONGEST_VIEW / max(height, width))
    if scale == 1.0:
        return photo
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)


def tiles(height: int, width: int) -> list[tuple[slice, slice]]:
    """Rows and columns of the tiles of a view; all have the same size."""
    return [(rows, columns) for rows in _parts(height) for columns in _parts(width)]


def _parts(length: int) -> list[slice]:
    count = -(-length // TILE)
    part = -(-(length + (count - 1) * OVERLAP) // count)
    starts = np.linspace(0, length - part, count).round().astype(int).tolist()
    return [slice(start, start + part) for start in starts]


def complete_rows(rows: np.ndarray, tile: tuple[slice, slice], size: tuple[int, int]) -> np.ndarray:
    """The rows that a tile's inner edges do not cut off, moved from the tile into its view.

    Args:
        rows: ``(faces, 15)``, in pixels of the tile.
        tile: one of ``tiles``.
        size: height and width of the view.
    """
    moved = rows.astype(np.float64)
    is_complete = np.ones(len(rows), bool)
    for axis in (0, 1):  # x, y
        part, length = tile[1 - axis], size[1 - axis]
        low, high = rows[:, axis], rows[:, axis] + rows[:, axis + 2]
        is_complete &= (low > EDGE) | (part.start == 0)
        is_complete &= (high < part.stop - part.start - EDGE) | (part.stop == length)
        moved[:, [axis, *range(4 + axis, 14, 2)]] += part.start
    return moved[is_complete]


def distinct(rows: np.ndarray) -> np.ndarray:
    """The rows of several views or tiles without repeated faces, highest score first."""
    kept: list[np.ndarray] = []
    for row in rows[np.argsort(-rows[:, -1], kind="stable")]:
        if not any(_shared(row, other) > SAME_FACE for other in kept):
            kept.append(row)
    return np.array(kept).reshape(-1, 15)


def _shared(row: np.ndarray, other: np.ndarray) -> float:
    """The area that two boxes share, as a fraction of the smaller one."""
    low = np.maximum(row[:2], other[:2])
    high = np.minimum(row[:2] + row[2:4], other[:2] + other[2:4])
    smaller = min(row[2] * row[3], other[2] * other[3])
    return float(np.prod(np.maximum(high - low, 0)) / max(smaller, 1e-9))
