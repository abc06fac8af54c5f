"""Metrics of predictions, in NumPy, by their textbook definitions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ferkit.input_pipeline.dataset import Split
from ferkit.input_pipeline.learned import learned_counts, unexpectedly_learned

CALIBRATION_BINS = 15


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities ``(rows, classes)`` of logits ``(rows, classes)``."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def mean_probabilities(views: np.ndarray) -> np.ndarray:
    """Probabilities ``(rows, classes)``, averaged over views; logits ``(views, rows, classes)``."""
    return np.mean([softmax(logits) for logits in views], axis=0)


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts ``(classes, classes)``: row = true class, column = predicted class."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(
        classes, classes
    )


def per_class(
    confusion: np.ndarray, class_names: Sequence[str]
) -> dict[str, dict[str, float | int]]:
    """Precision, recall, F1 and support of each class; a figure with denominator zero is 0.0."""
    hits = np.diag(confusion).astype(float)
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    recall = hits / np.maximum(support, 1)
    precision = hits / np.maximum(predicted, 1)
    f1 = 2 * hits / np.maximum(support + predicted, 1)
    return {
        name: {
            "precision": float(precision[k]),
            "recall": float(recall[k]),
            "f1": float(f1[k]),
            "support": int(support[k]),
            "predicted": int(predicted[k]),
        }
        for k, name in enumerate(class_names)
    }


def calibration_bins(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = CALIBRATION_BINS
) -> np.ndarray:
    """Count, mean confidence and accuracy of each confidence bin: ``(bins, 3)``, equal widths."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(which, minlength=bins)
    total = np.maximum(count, 1)
    mean_confidence = np.bincount(which, weights=confidence, minlength=bins) / total
    accuracy = np.bincount(which, weights=correct, minlength=bins) / total
    return np.stack([count, mean_confidence, accuracy], axis=1)


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = CALIBRATION_BINS
) -> float:
    """Mean gap between confidence and accuracy over confidence bins.

    Reference: Guo et al., arXiv 1706.04599, equation 3.
    """
    count, confidence, accuracy = calibration_bins(probabilities, labels, bins).T
    return float(np.sum(count * np.abs(confidence - accuracy)) / max(count.sum(), 1))


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float(
        np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels])
    )


def bootstrap_intervals(
    confusion: np.ndarray, draws: int = 2000, seed: int = 0
) -> dict[str, list[float]]:
    """95 % bootstrap intervals: percentiles 2.5 and 97.5 over rows drawn with replacement.

    All figures are functions of the confusion matrix, and the matrix of rows drawn with replacement
    is multinomial, so the matrix is drawn directly.

    Args:
        confusion: counts ``(classes, classes)``, one row at least.
        draws: how many matrices.
        seed: of the draws.

    Returns:
        "accuracy", "balanced_accuracy" and "macro_f1", each [low, high].

    Reference: Efron, Bootstrap methods: another look at the jackknife, 1979.
    """
    count, classes = int(confusion.sum()), len(confusion)
    drawn = np.random.default_rng(seed).multinomial(count, confusion.ravel() / count, size=draws)
    drawn = drawn.reshape(draws, classes, classes)
    hits, support = np.diagonal(drawn, axis1=1, axis2=2), drawn.sum(axis=2)
    occurs = support > 0
    recall = hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(support + drawn.sum(axis=1), 1)
    figures = {
        "accuracy": hits.sum(axis=1) / count,
        "balanced_accuracy": recall.sum(axis=1) / occurs.sum(axis=1),
        "macro_f1": (f1 * occurs).sum(axis=1) / occurs.sum(axis=1),
    }
    return {
        name: [float(edge) for edge in np.percentile(values, (2.5, 97.5))]
        for name, values in figures.items()
    }


def measure(logits: np.ndarray, split: Split) -> dict[str, Any]:
    """All figures of one evaluation, as JSON values.

    Args:
        logits: float ``(rows, classes)``, or log-probabilities.
        split: rows with labels.

    Returns:
        ``accuracy`` counts all rows; it is comparable with the literature if
        ``comparable_with_literature``. ``accuracy_clean`` counts rows that are neither exact nor
        near duplicates of train rows; ``accuracy_clean_exact`` rows that are not exact duplicates;
        neither counts rows that the weights have learned. Both are None if the dataset has no train
        rows, or no row is left. ``learned.learned_counts`` describes the rest.
        ``balanced_accuracy`` is the mean recall and ``macro_f1`` the mean F1 of the classes that
        occur. ``..._interval`` is the 95 % bootstrap interval, [low, high].
    """
    labels = split.labels
    probabilities = softmax(logits)
    predicted = probabilities.argmax(axis=1)
    correct = predicted == labels
    confusion = confusion_matrix(labels, predicted, len(split.class_names))
    classes = per_class(confusion, split.class_names)
    present = [figures for figures in classes.values() if figures["support"]]

    new = ~unexpectedly_learned(split)
    clean, clean_exact = (split.copy_kind == "") & new, (split.copy_kind != "exact") & new

    def accuracy(rows: np.ndarray) -> float | None:
        return float(correct[rows].mean()) if split.has_train and rows.any() else None

    def interval(rows: np.ndarray) -> list[float] | None:
        if accuracy(rows) is None:
            return None
        return bootstrap_intervals(
            confusion_matrix(labels[rows], predicted[rows], len(split.class_names))
        )["accuracy"]

    intervals = bootstrap_intervals(confusion)
    return {
        "split": split.name,
        "count": len(labels),
        **learned_counts(split),
        "comparable_with_literature": bool(
            split.published and split.learned_complete and new.all()
        ),
        "accuracy": float(correct.mean()),
        "accuracy_interval": intervals["accuracy"],
        "accuracy_clean": accuracy(clean),
        "accuracy_clean_interval": interval(clean),
        "accuracy_clean_exact": accuracy(clean_exact),
        "accuracy_clean_exact_interval": interval(clean_exact),
        "count_clean": int(clean.sum()) if split.has_train else None,
        "count_clean_exact": int(clean_exact.sum()) if split.has_train else None,
        "balanced_accuracy": float(np.mean([figures["recall"] for figures in present])),
        "balanced_accuracy_interval": intervals["balanced_accuracy"],
        "macro_f1": float(np.mean([figures["f1"] for figures in present])),
        "macro_f1_interval": intervals["macro_f1"],
        "expected_calibration_error": expected_calibration_error(probabilities, labels),
        "loss": negative_log_likelihood(logits, labels),
        "class_names": list(split.class_names),
        "per_class": classes,
        "confusion": confusion.tolist(),
    }
