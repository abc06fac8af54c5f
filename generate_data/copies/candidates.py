"""Candidate pairs: a fast first search for images that may be duplicates of each other.

A comparison of all pairs of 35,887 faces at every small shift takes minutes. Two things reduce it
to a second: a descriptor of 35 numbers for each image, and an index of cells, so that each image is
compared only with similar ones. The module `check` then compares each candidate pair in detail.
docs/copies.md explains how the constants were chosen, and what they cost and find.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

Window = tuple[int, int, int]  # top, left and side, in blocks

BLOCK = 3  # pixels: the side of the blocks that an image is averaged over first
CENTER: Window = (1, 1, 14)  # the window that represents an image in the index: 42 of 48 pixels
# The windows that find a shifted duplicate.
SHIFTED: tuple[Window, ...] = tuple((top, left, 14) for top in range(3) for left in range(3))
# The window that finds an enlarged crop: the middle 36 pixels of its original.
ENLARGED: tuple[Window, ...] = ((2, 2, 12),)
VIEWS = SHIFTED + ENLARGED
# Frequencies of the cosine transform in each direction; without the constant one, 35 remain.
FREQUENCIES = 6
THRESHOLD = 0.85  # cosine of two descriptors
CELLS = 128  # of the index
# Cosine: a view is compared with all cells whose similarity is within MARGIN of the nearest cell's.
MARGIN = 0.1
PIECE = 1 << 18  # cosines at once
WORKERS = 2


def _transform(side: int) -> np.ndarray:
    """Returns (side * side, 35): from blocks to the low frequencies of the cosine transform."""
    positions = np.arange(side) + 0.5
    rows = np.cos(np.pi * np.arange(FREQUENCIES)[:, None] * positions / side)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.kron(rows, rows)[1:].T.astype(np.float32)


def _blocks(images: np.ndarray) -> np.ndarray:
    """Returns float32 (n, 16, 16) sums of the blocks of uint8 (n, 48, 48)."""
    count, size, _ = images.shape
    sums = np.empty((count, size // BLOCK, size // BLOCK), np.float32)
    for start in range(0, count, 32):  # in pieces, for the processor's cache
        piece = images[start : start + 32]
        rows = piece[:, ::BLOCK].astype(np.uint16)
        for offset in range(1, BLOCK):
            rows += piece[:, offset::BLOCK]
        sums[start : start + 32] = sum(rows[:, :, offset::BLOCK] for offset in range(BLOCK))
    return sums


def _describe(blocks: np.ndarray, view: Window, spread: np.ndarray | None = None) -> np.ndarray:
    """Returns (n, 35) descriptors of one window, about 0 for a blank one.

    With a spread, all frequencies have the same weight and each descriptor has length 1.
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
    """Descriptors sorted into cells around randomly chosen descriptors."""

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
        """Returns smaller * n + larger for each pair (query, member) above the threshold.

        Pairs of an image with itself are omitted.
        """
        nearness = self.anchors @ queries.T
        nearness -= nearness.max(axis=0) - MARGIN
        # Reused, because an allocation for each cell costs as much as the products.
        memory = np.empty(PIECE, np.float32), np.empty(PIECE, bool)
        found = [np.zeros(0, np.int64)]
        for cell, near in enumerate(nearness):
            rows = np.flatnonzero(near >= 0)
            step = max(1, PIECE // max(1, self.bounds[cell + 1] - self.bounds[cell]))
            for start in range(0, len(rows), step):
                found.append(self._search_cell(cell, queries, rows[start : start + step], memory))
        return np.concatenate(found)

    def _search_cell(
        self,
        cell: int,
        queries: np.ndarray,
        rows: np.ndarray,
        memory: tuple[np.ndarray, np.ndarray],
    ) -> np.ndarray:
        low, high = self.bounds[cell : cell + 2]
        size = len(rows) * (high - low)
        if size > PIECE:  # one query of a very large cell
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
    """Finds pairs whose windows are similar at one of nine shifts, or after enlarging one image.

    Args:
        images: uint8 (n, 48, 48).
        rows: int64 (rows,), distinct indices of the images to compare.
        seed: chooses the cells of the index.
        progress: called with the share of the work done since the last call.

    Returns:
        int64 array (pairs, 2) of positions in `rows`, the smaller first, sorted.
    """
    count = len(rows)
    if count < 2:
        return np.zeros((0, 2), np.int64)
    blocks = _blocks(images)[rows]
    spread = _describe(blocks, CENTER).std(axis=0) + 1e-6
    index = _Index(_describe(blocks, CENTER, spread), seed)

    def search_view(view: Window) -> np.ndarray:
        found = index.search(_describe(blocks, view, spread))
        progress(1 / len(VIEWS))
        return found

    with ThreadPoolExecutor(WORKERS) as pool:
        keys = np.unique(np.concatenate(list(pool.map(search_view, VIEWS))))
    return np.stack([keys // count, keys % count], axis=1)
