"""The plan of one epoch: its rows, their order and their random numbers.

It is a pure function of (seed, epoch, row), so that a resumed run continues exactly.
"""

import dataclasses

import numpy as np

# One uniform number per row and purpose. Each group has its own stream of random numbers, so that
# runs made before a group was added can be repeated.
_LIGHT_AND_WARP = (
    "flip",
    "rotation",
    "shift_x",
    "shift_y",
    "zoom",
    "shear",
    "brightness",
    "contrast",
)
_ERASE = ("erase", "erase_area", "erase_aspect", "erase_x", "erase_y", "erase_value")
_FIRST_DRAWS = _LIGHT_AND_WARP + _ERASE
_WARP_DRAWS = ("warp", "zoom_out")
_CROP_DRAWS = ("crop_x", "crop_y")
_MIX_DRAWS = ("mix", "mix_kind", "cut_x", "cut_y")
_NOISE_DRAWS = ("noise", "noise_seed")
DRAWS = _FIRST_DRAWS + _WARP_DRAWS + _CROP_DRAWS + _MIX_DRAWS + _NOISE_DRAWS
_ORDER, _ROWS, _SAMPLE, _WARP, _CROP, _MIX, _MIXUP, _CUTMIX, _NOISE = range(9)


@dataclasses.dataclass(frozen=True)
class EpochPlan:
    """The rows of an epoch, in order.

    Attributes:
        rows: int32 ``(count,)``, indices of training rows.
        row_seeds: int32 ``(count,)``, from which keyed layers draw.
        random: float32 ``(count, len(DRAWS))`` in [0, 1), used by augmentation and mixing.
        mix_lambdas: float32 ``(count, 2)`` in [0, 1]: lambda of mixup and of CutMix.
    """

    rows: np.ndarray
    row_seeds: np.ndarray
    random: np.ndarray
    mix_lambdas: np.ndarray


def _generator(seed: int, epoch: int, stream: int) -> np.random.Generator:
    """A counter-based generator: the same for a given key, whatever was drawn before."""
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
        sampling: "shuffle": every row once; "oversample": rows are repeated until every class is as
            frequent as the largest, evenly over the rows of the class; "inverse_frequency": the
            same number of rows, drawn with replacement, so that classes are equally likely.
        seed: the recipe's seed.
        epoch: 0 or more.
        mixup: alpha of the Beta(alpha, alpha) distribution of lambda; 0: lambda is 1.
        cutmix: the same for CutMix.
    """
    rows = {"shuffle": _once, "oversample": _oversampled, "inverse_frequency": _drawn}[sampling](
        labels, seed, epoch
    )
    numbers = _generator(seed, epoch, _ROWS)
    groups = [numbers.random((len(rows), len(_FIRST_DRAWS)), dtype=np.float32)]
    for stream, names in (
        (_WARP, _WARP_DRAWS),
        (_CROP, _CROP_DRAWS),
        (_MIX, _MIX_DRAWS),
        (_NOISE, _NOISE_DRAWS),
    ):
        groups.append(
            _generator(seed, epoch, stream).random((len(rows), len(names)), dtype=np.float32)
        )
    random = np.concatenate(groups, axis=1)
    row_seeds = numbers.integers(0, 2**31, len(rows), dtype=np.int32)
    mix_lambdas = np.ones((len(rows), 2), np.float32)
    for column, (alpha, stream) in enumerate(((mixup, _MIXUP), (cutmix, _CUTMIX))):
        if alpha:
            mix_lambdas[:, column] = _generator(seed, epoch, stream).beta(alpha, alpha, len(rows))
    order = _generator(seed, epoch, _ORDER).permutation(len(rows))
    rows = rows[order].astype(np.int32)
    return EpochPlan(rows, row_seeds[order], random[order], mix_lambdas[order])


def _once(labels: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    return np.arange(len(labels))


def _drawn(labels: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """Row indices drawn with replacement, with a probability of 1 / rows of the class."""
    chances = 1.0 / np.bincount(labels)[labels]
    return _generator(seed, epoch, _SAMPLE).choice(
        len(labels), len(labels), p=chances / chances.sum()
    )


def _oversampled(labels: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """Row indices in which every class that occurs is as frequent as the largest."""
    numbers = _generator(seed, epoch, _SAMPLE)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    largest = max(len(rows) for rows in members)
    parts: list[np.ndarray] = []
    for rows in members:
        parts += [
            np.tile(rows, largest // len(rows)),
            numbers.choice(rows, largest % len(rows), replace=False),
        ]
    return np.concatenate(parts)
