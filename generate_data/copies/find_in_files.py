"""Copies among images of any size: exact ones by their pixels, near ones by thumbnails where that is possible."""

from collections.abc import Callable

import numpy as np

from generate_data.copies.candidates import candidate_pairs
from generate_data.copies.find import Copies, find_copies, first_of_each
from generate_data.images.scan import Scan

MOST = 60_000  # images: more take too long to compare with each other
MOST_PAIRS = 1_000_000  # of images to look at; FER2013 has 14,000
SAMPLE = 3000  # images


def find_image_copies(
    scan: Scan, seed: int, progress: Callable[[float], None] = lambda share: None
) -> tuple[Copies, str]:
    """Finds copies.

    Args:
        scan: of the images, all of them readable.
        seed: of the index that makes the search fast.
        progress: called with the share of the work done since the last call.

    Returns:
        The copies, and why near ones were not looked for; "" when they were.
    """
    first = first_of_each(scan.digests)
    reason = ""
    if len(scan.thumbnails) < len(
        first
    ):  # so many images were there before unreadable ones were dropped
        reason = f"more than {MOST:,} images"
    elif _too_alike(scan.thumbnails, seed):
        reason = (
            "too many images resemble each other, as the frames of a film or of a drawn figure do"
        )
    if reason:
        return Copies(first, np.zeros((0, 2), np.int64), np.zeros(0, np.float32)), reason
    return find_copies(scan.thumbnails, seed, progress, first), ""


def _too_alike(thumbnails: np.ndarray, seed: int) -> bool:
    """Whether so many pairs would have to be looked at that memory and patience end, judged by a sample."""
    count = len(thumbnails)
    if count <= SAMPLE:
        return False
    rows = np.sort(np.random.default_rng(seed).choice(count, SAMPLE, replace=False))
    return len(candidate_pairs(thumbnails, rows, seed)) * (count / SAMPLE) ** 2 > MOST_PAIRS
