"""The plan of one epoch: which rows in which order with which random numbers, a pure function of (seed, epoch, row)."""

import dataclasses

import numpy as np

# One uniform number per row and purpose. Each group is drawn from a stream of its own, so that runs from before a group was
# added still repeat.
_FIRST_DRAWS = ("flip", "rotation", "shift_x", "shift_y", "zoom", "shear", "brightness", "contrast")
_FIRST_DRAWS += ("erase", "erase_area", "erase_aspect", "erase_x", "erase_y", "erase_value")
_WARP_DRAWS = ("warp", "zoom_out")
_CROP_DRAWS = ("crop_x", "crop_y")
_MIX_DRAWS = ("mix", "mix_kind", "cut_x", "cut_y")
DRAWS = _FIRST_DRAWS + _WARP_DRAWS + _CROP_DRAWS + _MIX_DRAWS
_ORDER, _ROWS, _SAMPLE, _WARP, _CROP, _MIX, _MIXUP, _CUTMIX = range(8)


@dataclasses.dataclass(frozen=True)
class EpochPlan:
    """What an epoch shows, in order.

    Attributes:
        rows: int32 ``(count,)``, indices into the training rows.
        keys: int32 ``(count,)``, what keyed layers draw from.
        draws: float32 ``(count, len(DRAWS))`` in [0, 1), what augmentation and mixing draw from.
        shares: float32 ``(count, 2)`` in [0, 1], what of a row would remain after mixup and after CutMix: the papers' lambda.
    """

    rows: np.ndarray
    keys: np.ndarray
    draws: np.ndarray
    shares: np.ndarray


def _generator(seed, epoch, stream):
    """A counter-based generator: the same for a given key, however much was drawn before a crash."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch * 16 + stream]))


def epoch_plan(
    labels: np.ndarray,
    sampling: str,
    seed: int,
    epoch: int,
    mixup: float = 0.0,
    cutmix: float = 0.0,
) -> EpochPlan:
    """The plan of an epoch, counted from 0.

    Args:
        labels: int ``(rows,)``, the class of each training row.
        sampling: "shuffle": every row once; "oversample": rows are repeated until every class is as frequent as the largest,
            a class's repeats spread evenly over its rows; "inverse_frequency": as many rows as there are, drawn with
            replacement, so that every class is as likely as any other.
        seed: the recipe's seed.
        epoch: 0 or more.
        mixup, cutmix: alpha of the Beta(alpha, alpha) that the shares are drawn from; 0: all shares are 1.
    """
    rows = {"shuffle": _once, "oversample": _oversampled, "inverse_frequency": _drawn}[sampling](
        labels, seed, epoch
    )
    numbers = _generator(seed, epoch, _ROWS)
    draws = [numbers.random((len(rows), len(_FIRST_DRAWS)), dtype=np.float32)]
    for stream, names in ((_WARP, _WARP_DRAWS), (_CROP, _CROP_DRAWS), (_MIX, _MIX_DRAWS)):
        draws.append(
            _generator(seed, epoch, stream).random((len(rows), len(names)), dtype=np.float32)
        )
    draws = np.concatenate(draws, axis=1)
    keys = numbers.integers(0, 2**31, len(rows), dtype=np.int32)
    shares = np.ones((len(rows), 2), np.float32)
    for column, (alpha, stream) in enumerate(((mixup, _MIXUP), (cutmix, _CUTMIX))):
        if alpha:
            shares[:, column] = _generator(seed, epoch, stream).beta(alpha, alpha, len(rows))
    order = _generator(seed, epoch, _ORDER).permutation(len(rows))
    return EpochPlan(rows[order].astype(np.int32), keys[order], draws[order], shares[order])


def _once(labels, seed, epoch):
    return np.arange(len(labels))


def _drawn(labels, seed, epoch):
    """Row indices drawn with replacement, each with a chance of one over its class's rows."""
    chances = 1.0 / np.bincount(labels)[labels]
    return _generator(seed, epoch, _SAMPLE).choice(
        len(labels), len(labels), p=chances / chances.sum()
    )


def _oversampled(labels, seed, epoch):
    """Row indices in which every class that occurs is as frequent as the largest."""
    numbers = _generator(seed, epoch, _SAMPLE)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    largest = max(len(own) for own in members)
    parts = []
    for own in members:
        parts += [
            np.tile(own, largest // len(own)),
            numbers.choice(own, largest % len(own), replace=False),
        ]
    return np.concatenate(parts)
