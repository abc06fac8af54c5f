"""Figures against values worked out by hand."""

import dataclasses
import math

import numpy as np
import pytest

from ferkit.evaluation.metrics import (
    bootstrap_intervals,
    calibration_bins,
    confusion_matrix,
    expected_calibration_error,
    measure,
    per_class,
    softmax,
)


def logits_for(predicted, classes=7, sure=3.0):
    logits = np.zeros((len(predicted), classes))
    logits[np.arange(len(predicted)), predicted] = sure
    return logits


def test_confusion_counts_true_rows_and_predicted_columns():
    confusion = confusion_matrix(np.array([0, 0, 1, 2]), np.array([0, 2, 1, 1]), 3)
    assert confusion.tolist() == [[1, 0, 1], [0, 1, 0], [0, 1, 0]]


def test_precision_recall_and_f1_by_hand():
    figures = per_class(np.array([[3, 1, 0], [2, 2, 0], [0, 0, 0]]), ("a", "b", "c"))
    assert figures["a"] == {
        "precision": 0.6,
        "recall": 0.75,
        "f1": pytest.approx(2 / 3),
        "support": 4,
        "predicted": 5,
    }
    assert (figures["b"]["precision"], figures["b"]["recall"]) == (pytest.approx(2 / 3), 0.5)
    assert (figures["b"]["f1"], figures["b"]["support"], figures["b"]["predicted"]) == (
        pytest.approx(4 / 7),
        4,
        3,
    )
    assert figures["c"] == {
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "support": 0,
        "predicted": 0,
    }


def test_calibration_error_by_hand():
    # Bins of width 1/5: 0.9 and 0.95 fall into the last, one of two right; 0.55 into the third,
    # right.
    probabilities = np.array([[0.9, 0.1], [0.05, 0.95], [0.55, 0.45]])
    labels = np.array([0, 0, 0])
    by_hand = (2 / 3) * abs(0.925 - 0.5) + (1 / 3) * abs(0.55 - 1.0)
    assert expected_calibration_error(probabilities, labels, bins=5) == pytest.approx(by_hand)
    assert calibration_bins(probabilities, labels, bins=5)[:, 0].tolist() == [0, 0, 1, 0, 2]


def test_calibration_bins_include_their_upper_edge():
    probabilities = np.array([[0.6, 0.4], [1.0, 0.0]])
    assert calibration_bins(probabilities, np.array([0, 0]), bins=5)[:, 0].tolist() == [
        0,
        0,
        1,
        0,
        1,
    ]


def test_softmax_survives_large_logits():
    np.testing.assert_allclose(
        softmax(np.array([[1000.0, 1000.0], [0.0, math.log(3)]])), [[0.5, 0.5], [0.25, 0.75]]
    )


def test_measure_counts_copies_out(toy_split):
    split = toy_split("val", 14, copies=[(0, "exact"), (1, "near"), (2, "near")])
    predicted = split.labels.copy()
    predicted[[1, 5]] = 6  # wrong: row 1, a near copy, and row 5
    figures = measure(logits_for(predicted), split)
    assert figures["count"] == 14
    assert figures["accuracy"] == pytest.approx(12 / 14)
    assert (figures["count_clean"], figures["accuracy_clean"]) == (11, pytest.approx(10 / 11))
    assert (figures["count_clean_exact"], figures["accuracy_clean_exact"]) == (
        13,
        pytest.approx(11 / 13),
    )
    assert figures["balanced_accuracy"] == pytest.approx((5 + 0.5 + 0.5) / 7)
    assert np.array(figures["confusion"]).sum() == 14
    assert figures["loss"] == pytest.approx(math.log(math.e**3 + 6) - 3 * 12 / 14)


def test_without_train_rows_nobody_can_tell_copies(toy_split):
    split = dataclasses.replace(toy_split("test", 14), has_train=False)
    figures = measure(logits_for(split.labels), split)
    assert figures["accuracy"] == 1.0
    assert figures["accuracy_clean"] is None
    assert figures["accuracy_clean_exact"] is None
    assert figures["count_clean"] is None


def test_absent_classes_do_not_count_in_means(toy_split):
    split = toy_split("val", 3)  # classes 0, 1 and 2
    figures = measure(logits_for(split.labels), split)
    assert figures["balanced_accuracy"] == 1.0
    assert figures["macro_f1"] == 1.0


def test_bootstrap_intervals_agree_with_rows_drawn_by_hand(rng):
    labels = rng.integers(0, 3, 400)
    predicted = np.where(rng.random(400) < 0.7, labels, rng.integers(0, 3, 400))
    drawn = []
    for _ in range(3000):
        rows = rng.integers(0, 400, 400)
        figures = per_class(confusion_matrix(labels[rows], predicted[rows], 3), "abc").values()
        drawn.append(
            [
                (labels == predicted)[rows].mean(),
                *(np.mean([f[key] for f in figures]) for key in ("recall", "f1")),
            ]
        )
    expected = np.percentile(drawn, (2.5, 97.5), axis=0).T
    intervals = bootstrap_intervals(confusion_matrix(labels, predicted, 3))
    for (low, high), (lowest, highest) in zip(intervals.values(), expected, strict=True):
        assert low == pytest.approx(lowest, abs=0.006)
        assert high == pytest.approx(highest, abs=0.006)
    assert list(intervals) == ["accuracy", "balanced_accuracy", "macro_f1"]


def test_intervals_hold_what_they_belong_to(toy_split):
    split = toy_split("val", 140, copies=[(k, "near") for k in range(70)])
    predicted = np.where(np.arange(140) % 3, split.labels, 0)
    figures = measure(logits_for(predicted), split)
    for key in (
        "accuracy",
        "accuracy_clean",
        "accuracy_clean_exact",
        "balanced_accuracy",
        "macro_f1",
    ):
        low, high = figures[f"{key}_interval"]
        assert low < figures[key] < high, key
    wide, narrow = (
        np.diff(figures[f"{key}_interval"])[0] for key in ("accuracy_clean", "accuracy")
    )
    assert wide > 1.2 * narrow  # half the rows
    alone = measure(logits_for(predicted), dataclasses.replace(split, has_train=False))
    assert alone["accuracy_clean_interval"] is None
