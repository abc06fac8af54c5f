"""Decides whether two images are the same photo: correlates fine detail at the best shift and zoom.

Faces resemble each other in their low frequencies: two different people reach a correlation of 0.9
there. Without them, different photos stay below 0.9, while re-encoded, brightened, shifted and
cropped duplicates stay above. So images are band-passed first. Then a part of one image is resized
and moved over the other: at half size for all pairs, at full size where the result is uncertain.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

FINE, BROAD = 1.0, 4.0  # pixels: Gaussian sigmas; detail between them counts
SIZE, HALF = 48, 24
PART = 16  # half-size pixels: the side of the part that is compared, two thirds of a face
ZOOMS = np.arange(21, 29)  # half-size pixels that an image is resized to: 0.875 to 1.167
OFFSETS = HALF - PART + 1  # shifts of the part in each direction: -4 to 4 half-size pixels
DOUBT = 0.84  # coarse correlation below which a pair is rejected
SURE = 0.92  # coarse correlation that accepts a pair: the fine one was then never below THRESHOLD
THRESHOLD = 0.92  # fine correlation that accepts a pair
PIECE = 64  # pairs at once
WORKERS = 2


def _detail(image: np.ndarray) -> np.ndarray:
    """Returns the float32 (48, 48) detail of a uint8 (48, 48) image."""
    image = image.astype(np.float32)
    return cv2.GaussianBlur(image, (0, 0), FINE) - cv2.GaussianBlur(image, (0, 0), BROAD)


def _blur(size: int, sigma: float) -> np.ndarray:
    """Returns a (size, size) matrix that blurs a line of pixels, mirrored beyond its ends."""
    reach = np.arange(-size + 1, size)
    positions = np.abs(np.arange(size)[:, None] + reach)
    positions = np.where(positions >= size, 2 * (size - 1) - positions, positions)
    weights = np.exp(-0.5 * (reach / sigma) ** 2)
    matrix = np.zeros((size, size))
    np.add.at(matrix, (np.arange(size)[:, None], positions), weights / weights.sum())
    return matrix.astype(np.float32)


def _half_detail(images: np.ndarray, pool: ThreadPoolExecutor) -> np.ndarray:
    """Returns the float32 (n, 24, 24) detail of uint8 (n, 48, 48) images at half size."""
    fine, broad = _blur(HALF, FINE / 2), _blur(HALF, BROAD / 2)

    def detail(start: int) -> np.ndarray:
        piece = images[start : start + PIECE].astype(np.uint16)
        rows = piece[:, 0::2] + piece[:, 1::2]
        half = (rows[:, :, 0::2] + rows[:, :, 1::2]).astype(np.float32) / 4
        return fine @ half @ fine.T - broad @ half @ broad.T

    return np.concatenate(list(pool.map(detail, range(0, len(images), PIECE))))


def _resizing() -> np.ndarray:
    """Returns (zooms, 16, 24) weights that resize a line of 24 pixels and crop the middle 16."""
    rows = np.zeros((len(ZOOMS), PART, HALF), np.float32)
    for zoom, size in enumerate(ZOOMS):
        centers = (np.arange(PART) + (size - PART) // 2 + 0.5) * HALF / size - 0.5
        low = np.floor(centers).astype(int)
        rows[zoom, np.arange(PART), low] = 1 - (centers - low)
        rows[zoom, np.arange(PART), low + 1] += centers - low
    return rows


def _templates(halves: np.ndarray, resizing: np.ndarray) -> np.ndarray:
    """Returns (n, zooms, 256): the middle of each image at each zoom, mean 0 and length 1."""
    zoomed = resizing @ halves[:, None] @ resizing.transpose(0, 2, 1)
    parts = zoomed.reshape(len(halves), len(ZOOMS), -1)
    parts -= parts.mean(axis=2, keepdims=True)
    return parts / np.maximum(np.linalg.norm(parts, axis=2, keepdims=True), 1e-3)


def _patches(halves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns (n, 81, 256) parts at each offset, and (n, 81) their lengths about the mean."""
    windows = np.lib.stride_tricks.sliding_window_view(halves, (PART, PART), axis=(1, 2))
    patches = windows.reshape(len(halves), OFFSETS**2, -1)
    squares = np.einsum("npk,npk->np", patches, patches) - patches.sum(axis=2) ** 2 / PART**2
    return patches, np.sqrt(np.maximum(squares, 1e-6))


def _coarse(
    halves: np.ndarray, pairs: np.ndarray, resizing: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns (pairs,) best correlations and their positions, as indices into (zooms, offsets).

    The pairs must be sorted by their second image.
    """
    seconds, starts = np.unique(pairs[:, 1], return_index=True)
    patches, lengths = _patches(halves[seconds])
    templates = _templates(halves[pairs[:, 0]], resizing)
    by_zoom = np.empty((len(pairs), len(ZOOMS), OFFSETS**2), np.float32)
    for index, (start, stop) in enumerate(zip(starts, [*starts[1:], len(pairs)], strict=True)):
        product = templates[start:stop].reshape(-1, PART**2) @ patches[index].T
        by_zoom[start:stop] = (product / lengths[index]).reshape(stop - start, len(ZOOMS), -1)
    scores = by_zoom.reshape(len(pairs), -1)
    best = scores.argmax(axis=1)
    return scores[np.arange(len(pairs)), best], best


def _fine(first: np.ndarray, second: np.ndarray, best: int) -> float:
    """Returns the best correlation of two (48, 48) details near the best position at half size."""
    zoom, position = divmod(int(best), OFFSETS**2)
    top, left = (max(2 * offset - 3, 0) for offset in divmod(position, OFFSETS))
    part = 2 * PART
    region = second[top : top + part + 7, left : left + part + 7]
    score = -1.0
    for size in (2 * ZOOMS[zoom] + change for change in (-2, -1, 0, 1, 2)):
        resized = cv2.resize(first, (int(size), int(size)), interpolation=cv2.INTER_LINEAR)
        start = (size - part) // 2
        template = resized[start : start + part, start : start + part]
        score = max(score, float(cv2.matchTemplate(region, template, cv2.TM_CCOEFF_NORMED).max()))
        if score >= THRESHOLD:
            break
    return score


def check_pairs(
    images: np.ndarray, pairs: np.ndarray, progress: Callable[[float], None] = lambda share: None
) -> np.ndarray:
    """Scores how similar the two images of each pair are in their detail.

    Args:
        images: uint8 (n, 48, 48).
        pairs: int64 (pairs, 2) indices.
        progress: called with the share of the work done since the last call.

    Returns:
        float32 (pairs,) scores; a pair from THRESHOLD on is a near-duplicate. Clearly different
        pairs keep the coarse score.
    """
    if not len(pairs):
        return np.zeros(0, np.float32)
    used, positions = np.unique(pairs, return_inverse=True)
    positions = positions.reshape(pairs.shape)
    order = np.argsort(positions[:, 1], kind="stable")
    resizing = _resizing()

    def score_piece(piece: np.ndarray) -> np.ndarray:
        coarse, best = _coarse(halves, positions[piece], resizing)
        for index in np.flatnonzero((coarse >= DOUBT) & (coarse < SURE)):
            first, second = (_detail(images[image]) for image in pairs[piece[index]])
            coarse[index] = _fine(first, second, best[index])
        progress(len(piece) / len(pairs))
        return coarse

    scores = np.zeros(len(pairs), np.float32)
    pieces = [order[start : start + PIECE] for start in range(0, len(pairs), PIECE)]
    pool = ThreadPoolExecutor(WORKERS)
    try:
        halves = _half_detail(images[used], pool)
        scores[order] = np.concatenate(list(pool.map(score_piece, pieces)))
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupted set-up ends at once
    return scores
