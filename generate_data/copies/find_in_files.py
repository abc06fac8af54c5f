"""Finds duplicates among images of any size: exact ones by pixels, near ones by thumbnails."""

from collections.abc import Callable

import numpy as np

from generate_data.copies.candidates import candidate_pairs
from generate_data.copies.find import Copies, find_copies, first_of_each
from generate_data.images.scan import Scan

MOST = 60_000  # images: comparing more with each other takes too long
MOST_PAIRS = 1_000_000  # candidate pairs to check; FER2013 has 14,000
SAMPLE = 3000  # images


def find_image_copies(
    scan: Scan, seed: int, progress: Callable[[float], None] = lambda share: None
) -> tuple[Copies, str]:
    """Finds duplicates.

    Args:
        scan: of the images, all of them readable.
        seed: of the index that makes the search fast.
        progress: called with the share of the work done since the last call.

    Returns:
        The duplicates, and why the search omitted near-duplicates; "" if it included them.
    """
    first = first_of_each(scan.digests)
    reason = ""
    # The listing had too many images, even if unreadable ones were dropped since.
    if len(scan.thumbnails) < len(first):
        reason = f"more than {MOST:,} images"
    elif _has_too_many_candidates(scan.thumbnails, seed):
        reason = "too many images resemble each other, like frames of a film or of a drawn figure"
    if reason:
        return Copies(first, np.zeros((0, 2), np.int64), np.zeros(0, np.float32)), reason
    return find_copies(scan.thumbnails, seed, progress, first), ""


def _has_too_many_candidates(thumbnails: np.ndarray, seed: int) -> bool:
    """Estimates from a sample whether checking all pairs takes too much memory or time."""
    count = len(thumbnails)
    if count <= SAMPLE:
        return False
    rows = np.sort(np.random.default_rng(seed).choice(count, SAMPLE, replace=False))
    return len(candidate_pairs(thumbnails, rows, seed)) * (count / SAMPLE) ** 2 > MOST_PAIRS
