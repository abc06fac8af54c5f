"""Pairs of images that may be copies of each other: a fast, generous first look.

Comparing all pairs of 35,887 faces at every small shift takes minutes. Two things make it a second: a descriptor of 35
numbers for each image, and an index of cells, so that each image is compared with its own neighbourhood only. The module
`check` then compares each candidate pair in detail. docs/copies.md says how the constants were chosen, and what they cost and find.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

BLOCK = 3  # pixels: the side of the blocks that an image is averaged over first
CENTRE = (
    1,
    1,
    14,
)  # blocks: top, left and side of the window that an image is found by: 42 pixels of 48
SHIFTED = tuple(
    (top, left, 14) for top in range(3) for left in range(3)
)  # windows that a shifted copy is looked up by
ENLARGED = ((2, 2, 12),)  # and a copy cut out and enlarged: its original's middle 36 pixels
VIEWS = SHIFTED + ENLARGED
FREQUENCIES = (
    6  # of the cosine transform, in each direction; the constant one is dropped: 35 numbers
)
THRESHOLD = 0.85  # cosine of two descriptors
CELLS = 128  # of the index
MARGIN = 0.1  # cosine: a view is looked up in all cells that are so much farther from it than the nearest
PIECE = 1 << 18  # cosines at once
WORKERS = 2


def _transform(side: int) -> np.ndarray:
    """(side * side, 35): from the blocks of a window to the low frequencies of its cosine transform."""
    positions = np.arange(side) + 0.5
    rows = np.cos(np.pi * np.arange(FREQUENCIES)[:, None] * positions / side)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.kron(rows, rows)[1:].T.astype(np.float32)


def _blocks(images: np.ndarray) -> np.ndarray:
    """(n, 16, 16) float32 sums of blocks of uint8 (n, 48, 48)."""
    count, size, _ = images.shape
    sums = np.empty((count, size // BLOCK, size // BLOCK), np.float32)
    for start in range(0, count, 32):  # in pieces, for the processor's cache
        piece = images[start : start + 32]
        rows = sum(piece[:, offset::BLOCK].astype(np.uint16) for offset in range(BLOCK))
        sums[start : start + 32] = sum(rows[:, :, offset::BLOCK] for offset in range(BLOCK))
    return sums


def _describe(
    blocks: np.ndarray, view: tuple[int, int, int], spread: np.ndarray | None = None
) -> np.ndarray:
    """(n, 35) descriptors of one window, about 0 for a blank one.

    With a spread, all frequencies count alike and each descriptor has length 1.
    """
    top, left, side = view
    transform = _transform(side) / (1 if spread is None else spread)
    descriptors = np.empty((len(blocks), transform.shape[1]), np.float32)
    for start in range(0, len(blocks), 128):
        windows = blocks[start : start + 128, top : top + side, left : left + side]
        piece = windows.reshape(len(windows), -1) @ transform
        if spread is not None:
            piece /= np.maximum(np.linalg.norm(piece, axis=1, keepdims=True), 1e-3)
        descriptors[start : start + 128] = piece
    return descriptors


class _Index:
    """Descriptors sorted into cells around some of them."""

    def __init__(self, descriptors: np.ndarray, seed: int) -> None:
        count = len(descriptors)
        cells = max(1, min(CELLS, count // 64))
        anchors = np.random.default_rng(seed).choice(count, cells, replace=False)
        self.anchors = descriptors[np.sort(anchors)]
        home = np.argmax(descriptors @ self.anchors.T, axis=1)
        self.order = np.argsort(home, kind="stable")
        self.bounds = np.searchsorted(home[self.order], np.arange(cells + 1))
        self.members = descriptors[self.order]

    def search(self, queries: np.ndarray) -> np.ndarray:
        """Keys smaller * n + larger of the pairs (query, member) above the threshold.

        Pairs of an image with itself are left out.
        """
        nearness = self.anchors @ queries.T
        nearness -= nearness.max(axis=0) - MARGIN
        memory = (
            np.empty(PIECE, np.float32),
            np.empty(PIECE, bool),
        )  # fresh memory each time costs as much as the work
        found = [np.zeros(0, np.int64)]
        for cell, near in enumerate(nearness):
            rows = np.flatnonzero(near >= 0)
            step = max(1, PIECE // max(1, self.bounds[cell + 1] - self.bounds[cell]))
            for start in range(0, len(rows), step):
                found.append(self._search_cell(cell, queries, rows[start : start + step], memory))
        return np.concatenate(found)

    def _search_cell(
        self, cell: int, queries: np.ndarray, rows: np.ndarray, memory: tuple
    ) -> np.ndarray:
        low, high = self.bounds[cell : cell + 2]
        size = len(rows) * (high - low)
        if size > PIECE:  # one row of a giant cell
            memory = np.empty(size, np.float32), np.empty(size, bool)
        cosines, above = memory[0][:size], memory[1][:size]
        np.matmul(queries[rows], self.members[low:high].T, out=cosines.reshape(len(rows), -1))
        hits = np.flatnonzero(np.greater(cosines, THRESHOLD, out=above))
        first, second = rows[hits // (high - low)], self.order[low + hits % (high - low)]
        keys = np.minimum(first, second) * len(queries) + np.maximum(first, second)
        return keys[first != second]


def candidate_pairs(
    images: np.ndarray,
    rows: np.ndarray,
    seed: int = 0,
    progress: Callable[[float], None] = lambda share: None,
) -> np.ndarray:
    """Pairs whose windows look alike at one of nine shifts, or when one is enlarged.

    Args:
        images: uint8 (n, 48, 48).
        rows: int64 (rows,), indices of the images to compare, no two the same.
        seed: chooses the cells of the index.
        progress: called with the share of the work done since the last call.

    Returns:
        int64 array (pairs, 2) of places in `rows`, the smaller first, sorted.
    """
    count = len(rows)
    if count < 2:
        return np.zeros((0, 2), np.int64)
    blocks = _blocks(images)[rows]
    spread = _describe(blocks, CENTRE).std(axis=0) + 1e-6
    index = _Index(_describe(blocks, CENTRE, spread), seed)

    def look(view: tuple[int, int, int]) -> np.ndarray:
        found = index.search(_describe(blocks, view, spread))
        progress(1 / len(VIEWS))
        return found

    with ThreadPoolExecutor(WORKERS) as pool:
        keys = np.unique(np.concatenate(list(pool.map(look, VIEWS))))
    return np.stack([keys // count, keys % count], axis=1)
