"""Knowing when not to answer: errors by confidence, thresholds for an error, and conformal sets."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

CERTAINTY = 0.95  # with which a threshold keeps its error on new images
MAX_ERRORS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
COVERAGES = (1.0, 0.9, 0.75, 0.5)
SET_COVERAGES = (0.8, 0.9, 0.95)
HALVINGS = 20
_BISECTIONS = 50


def risk_coverage(
    probabilities: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """The error among the most confident predictions, for each fraction of images answered.

    Args:
        probabilities: ``(rows, classes)``, one row at least.
        labels: int ``(rows,)``.

    Returns:
        Coverages 1/rows to 1; the error among the predictions of that coverage; and the mean of
        these errors, which is the area under the curve.

    Example:
        >>> coverage, error, area = risk_coverage(probabilities, labels)

    Reference: Geifman and El-Yaniv, arXiv 1705.08500, section 2.
    """
    confidence, wrong = _by_confidence(probabilities, labels)
    count = np.arange(1, len(confidence) + 1)
    error = wrong.cumsum() / count
    return count / len(count), error, float(error.mean())


def threshold_for_error(
    probabilities: np.ndarray, labels: np.ndarray, max_error: float, certainty: float = CERTAINTY
) -> float | None:
    """The confidence from which the error on new images of the same kind is at most `max_error`.

    It is the lowest confidence that a binary search finds whose upper bound of the error is at most
    `max_error`. The bounds of all steps together hold with `certainty`.

    Args:
        probabilities: ``(rows, classes)`` of images that the model has not learned.
        labels: int ``(rows,)``.
        max_error: fraction of wrong answers, between 0 and 1.
        certainty: probability, over the choice of the images, that the error is kept.

    Returns:
        The threshold, or None if the search finds none.

    Example:
        >>> threshold_for_error(probabilities, labels, 0.2)
        0.58

    Reference: Geifman and El-Yaniv, arXiv 1705.08500, algorithm 1. Equal confidences count as one
    threshold here.
    """
    confidence, wrong = _by_confidence(probabilities, labels)
    errors = wrong.cumsum()
    # The last row of each confidence: a threshold answers all rows up to it.
    ends = np.flatnonzero(np.append(confidence[1:] < confidence[:-1], True))
    steps = math.ceil(math.log2(len(ends))) + 1
    low, high, found = 0, len(ends) - 1, None
    while low <= high:
        middle = (low + high + 1) // 2
        answered = int(ends[middle]) + 1
        bound = error_bound(int(errors[answered - 1]), answered, 1 - (1 - certainty) / steps)
        if bound <= max_error:
            found, low = float(confidence[answered - 1]), middle + 1
        else:
            high = middle - 1
    return found


def error_bound(wrong: int, answered: int, certainty: float = CERTAINTY) -> float:
    """The one-sided upper bound of an error rate after `wrong` of `answered` were wrong.

    Reference: Clopper and Pearson, The use of confidence or fiducial limits, 1934.

    Example:
        >>> round(error_bound(0, 10, 0.95), 4)  # 1 - 0.05 ** (1 / 10)
        0.2589
    """
    if wrong == answered:
        return 1.0
    counts = np.arange(wrong + 1)
    logs = np.concatenate([[0.0], np.log(np.arange(1, answered + 1)).cumsum()])  # of factorials
    ways = logs[answered] - logs[counts] - logs[answered - counts]
    low, high = wrong / answered, 1.0
    for _ in range(_BISECTIONS):
        rate = (low + high) / 2
        chances = ways + counts * np.log(rate) + (answered - counts) * np.log1p(-rate)
        low, high = (rate, high) if np.exp(chances).sum() > 1 - certainty else (low, rate)
    return high


def conformal_threshold(probabilities: np.ndarray, labels: np.ndarray, coverage: float) -> float:
    """The probability from which a class belongs to a prediction set.

    The set of a new image, drawn like these, contains its true class with a probability of at least
    `coverage`.

    Args:
        probabilities: ``(rows, classes)`` of images that the model has not learned.
        labels: int ``(rows,)``.
        coverage: between 0 and 1.

    Returns:
        The threshold; 0 (all classes) if there are too few images.

    Example:
        >>> sets = probabilities >= conformal_threshold(held_out, held_out_labels, 0.9)

    Reference: Angelopoulos and Bates, arXiv 2107.07511, section 1; the score is 1 minus the
    probability of the true class.
    """
    of_true = np.sort(probabilities[np.arange(len(labels)), labels])
    rank = math.floor((len(labels) + 1) * (1 - coverage) + 1e-9)
    return float(of_true[rank - 1]) if rank else 0.0


def conformal_check(
    probabilities: np.ndarray, labels: np.ndarray, coverage: float, seed: int = 0
) -> tuple[float, float]:
    """Coverage and mean size of the sets on one random half, with the threshold of the other half.

    Args:
        probabilities: ``(rows, classes)``, two rows at least.
        labels: int ``(rows,)``.
        coverage: what is asked for, between 0 and 1.
        seed: determines the halves.

    Returns:
        Means over ``HALVINGS`` random halvings.
    """
    numbers, measured = np.random.default_rng(seed), []
    for _ in range(HALVINGS):
        order = numbers.permutation(len(labels))
        fitted, held_out = order[: len(order) // 2], order[len(order) // 2 :]
        threshold = conformal_threshold(probabilities[fitted], labels[fitted], coverage)
        sets = probabilities[held_out] >= threshold
        is_in = sets[np.arange(len(held_out)), labels[held_out]]
        measured.append((is_in.mean(), sets.sum(axis=1).mean()))
    found, size = np.mean(measured, axis=0)
    return float(found), float(size)


def measure_selective(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Errors by coverage, thresholds for ``MAX_ERRORS`` and prediction sets, as JSON values.

    Args:
        probabilities: ``(rows, classes)``, two rows at least.
        labels: int ``(rows,)``.

    Returns:
        "risk_coverage": rows with "coverage" and "error"; "area_under_risk_coverage".
        "thresholds": rows with "max_error", "threshold" (None: none was found), and the "coverage"
        and "error" with it on these images. "conformal": rows with "asked", "threshold", and the
        "coverage" and "set_size" that ``conformal_check`` measures.
    """
    coverage, error, area = risk_coverage(probabilities, labels)
    at = [max(0, math.ceil(share * len(labels)) - 1) for share in COVERAGES]
    return {
        "images": len(labels),
        "certainty": CERTAINTY,
        "risk_coverage": [
            {"coverage": float(coverage[row]), "error": float(error[row])} for row in at
        ],
        "area_under_risk_coverage": area,
        "thresholds": [_threshold_row(probabilities, labels, limit) for limit in MAX_ERRORS],
        "conformal": [_conformal_row(probabilities, labels, asked) for asked in SET_COVERAGES],
    }


def format_selective(figures: dict[str, Any]) -> str:
    """The figures of ``measure_selective`` as lines for the terminal."""
    points = ", ".join(
        f"{row['error']:.1%} of {row['coverage']:.0%}" for row in figures["risk_coverage"]
    )
    return "\n".join(
        [
            f"Errors among the most confident predictions: {points} "
            f"(area {figures['area_under_risk_coverage']:.3f})",
            f"  confidence for a maximum error: {thresholds_text(figures['thresholds'])}",
            f"  prediction sets: {sets_text(figures['conformal'])}",
        ]
    )


def thresholds_text(rows: Sequence[dict[str, Any]]) -> str:
    """The thresholds in words."""
    return ", ".join(
        f"{row['max_error']:.0%}: "
        + (
            "none"
            if row["threshold"] is None
            else f"{row['threshold']:.3f} ({row['coverage']:.0%} answered)"
        )
        for row in rows
    )


def sets_text(rows: Sequence[dict[str, Any]]) -> str:
    """The prediction sets in words."""
    return ", ".join(
        f"{row['asked']:.0%} asked, {row['coverage']:.1%} held out with {row['set_size']:.2f} "
        "classes"
        for row in rows
    )


def _by_confidence(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence and whether the prediction is wrong, most confident first."""
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    return confidence[order], (probabilities.argmax(axis=1) != labels)[order]


def _threshold_row(
    probabilities: np.ndarray, labels: np.ndarray, max_error: float
) -> dict[str, float | None]:
    threshold = threshold_for_error(probabilities, labels, max_error)
    if threshold is None:
        return {"max_error": max_error, "threshold": None, "coverage": None, "error": None}
    answered = probabilities.max(axis=1) >= threshold
    wrong = probabilities.argmax(axis=1) != labels
    return {
        "max_error": max_error,
        "threshold": threshold,
        "coverage": float(answered.mean()),
        "error": float(wrong[answered].mean()),
    }


def _conformal_row(probabilities: np.ndarray, labels: np.ndarray, asked: float) -> dict[str, float]:
    coverage, size = conformal_check(probabilities, labels, asked)
    return {
        "asked": asked,
        "threshold": conformal_threshold(probabilities, labels, asked),
        "coverage": coverage,
        "set_size": size,
    }
