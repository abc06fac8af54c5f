"""The plan of one epoch: which rows in which order with which random numbers, a pure function of (seed, epoch, row)."""

import dataclasses

import numpy as np

# One uniform number per row and purpose. A new purpose goes at the end, so that old runs still repeat.
DRAWS = ("flip", "rotation", "shift_x", "shift_y", "zoom", "shear", "brightness", "contrast")
DRAWS += ("erase", "erase_area", "erase_aspect", "erase_x", "erase_y", "erase_value")
_ORDER, _ROWS, _SAMPLE = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class EpochPlan:
    """What an epoch shows, in order.

    Attributes:
        rows: int32 ``(count,)``, indices into the training rows.
        keys: int32 ``(count,)``, what keyed layers draw from.
        draws: float32 ``(count, len(DRAWS))`` in [0, 1), what augmentation draws from.
    """

    rows: np.ndarray
    keys: np.ndarray
    draws: np.ndarray


def _generator(seed, epoch, stream):
    """A counter-based generator: the same for a given key, however much was drawn before a crash."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch * 16 + stream]))


def epoch_plan(labels: np.ndarray, sampling: str, seed: int, epoch: int) -> EpochPlan:
    """The plan of an epoch, counted from 0.

    Args:
        labels: int ``(rows,)``, the class of each training row.
        sampling: "shuffle": every row once; "oversample": rows are repeated until every class is as frequent as the largest,
            a class's repeats spread evenly over its rows.
        seed: the recipe's seed.
        epoch: 0 or more.
    """
    rows = np.arange(len(labels)) if sampling == "shuffle" else _oversampled(labels, seed, epoch)
    numbers = _generator(seed, epoch, _ROWS)
    draws = numbers.random((len(rows), len(DRAWS)), dtype=np.float32)
    keys = numbers.integers(0, 2**31, len(rows), dtype=np.int32)
    order = _generator(seed, epoch, _ORDER).permutation(len(rows))
    return EpochPlan(rows[order].astype(np.int32), keys[order], draws[order])


def _oversampled(labels, seed, epoch):
    """Row indices in which every class that occurs is as frequent as the largest."""
    numbers = _generator(seed, epoch, _SAMPLE)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    largest = max(len(own) for own in members)
    parts = []
    for own in members:
        parts += [np.tile(own, largest // len(own)), numbers.choice(own, largest % len(own), replace=False)]
    return np.concatenate(parts)
