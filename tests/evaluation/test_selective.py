"""When not to answer: values by hand, and promises that hold on other images."""

import numpy as np
import pytest

from ferkit.evaluation.selective import (
    conformal_check,
    conformal_threshold,
    error_bound,
    format_selective,
    measure_selective,
    risk_coverage,
    threshold_for_error,
)


def two_classes(confidences, are_right):
    """Probabilities that say class 0 with these confidences, and labels that say if it is right."""
    sure = np.array(confidences, float)
    return np.stack([sure, 1 - sure], axis=1), np.where(are_right, 0, 1)


def drawn(count, seed):
    """Calibrated predictions of seven classes: labels are drawn from the probabilities."""
    numbers = np.random.default_rng(seed)
    probabilities = numbers.dirichlet(np.full(7, 0.1), count)
    draws = numbers.random((count, 1))
    return probabilities, (probabilities.cumsum(axis=1)[:, :-1] < draws).sum(axis=1)


def test_errors_by_coverage_by_hand():
    # Most confident first: right, wrong, right, wrong.
    given = two_classes([0.6, 0.9, 0.7, 0.8], [False, True, True, False])
    coverage, error, area = risk_coverage(*given)
    np.testing.assert_allclose(coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(error, [0, 1 / 2, 1 / 3, 1 / 2])
    assert area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_the_bound_of_an_error_by_hand():
    assert error_bound(0, 10, 0.95) == pytest.approx(1 - 0.05 ** (1 / 10))
    # One of two wrong: 1 - rate^2 = 0.05.
    assert error_bound(1, 2, 0.95) == pytest.approx(0.95**0.5)
    # Clopper and Pearson's table: 5 of 100, one-sided 95 %.
    assert error_bound(5, 100, 0.95) == pytest.approx(0.10225, abs=5e-5)
    assert error_bound(3, 3) == 1.0


def test_the_threshold_for_an_error_by_hand():
    # 100 right answers with 0.9, then 100 wrong ones with 0.6: two thresholds, so two steps.
    given = two_classes([0.9] * 100 + [0.6] * 100, [True] * 100 + [False] * 100)
    bound = error_bound(0, 100, 1 - 0.05 / 2)
    assert bound == pytest.approx(1 - 0.025 ** (1 / 100))  # 3.6 %
    assert threshold_for_error(*given, max_error=bound + 1e-6) == 0.9
    assert threshold_for_error(*given, max_error=bound - 1e-6) is None
    assert threshold_for_error(*given, max_error=0.65) == 0.6


def test_a_threshold_keeps_its_error_on_other_images():
    others, other_labels = drawn(20_000, 999)
    broken = 0
    for seed in range(40):
        threshold = threshold_for_error(*drawn(1000, seed), max_error=0.2)
        answered = others.max(axis=1) >= threshold
        error = (others.argmax(axis=1) != other_labels)[answered].mean()
        assert answered.mean() > 0.3
        broken += error > 0.2
    assert broken <= 2  # 5 % of 40


def test_the_conformal_threshold_by_hand():
    # Probabilities of the true class: 0.9, 0.8, ..., 0.1; of 10 positions, 20 % are 2.
    sure = np.arange(9, 0, -1) / 10
    given = two_classes(sure, np.ones(9, bool))
    assert conformal_threshold(*given, coverage=0.8) == pytest.approx(0.2)
    assert conformal_threshold(*given, coverage=0.9) == pytest.approx(0.1)
    assert conformal_threshold(*given, coverage=0.95) == 0.0  # too few images


@pytest.mark.parametrize("asked", [0.8, 0.9, 0.95])
def test_sets_have_the_coverage_that_was_asked_for(asked):
    coverage, size = conformal_check(*drawn(3000, 1), asked)
    assert coverage == pytest.approx(asked, abs=0.01)
    assert 1 < size < 5
    # An overconfident model gets larger sets, not a lower coverage.
    sharp = drawn(3000, 1)[0] ** 3
    sharp /= sharp.sum(axis=1, keepdims=True)
    again, sharp_size = conformal_check(sharp, drawn(3000, 1)[1], asked)
    assert again == pytest.approx(asked, abs=0.01)
    assert sharp_size > 1


def test_all_figures_and_their_text():
    probabilities, labels = drawn(1000, 3)
    figures = measure_selective(probabilities, labels)
    error = float((probabilities.argmax(axis=1) != labels).mean())
    assert figures["risk_coverage"][0] == {"coverage": 1.0, "error": pytest.approx(error)}
    assert [row["coverage"] for row in figures["risk_coverage"]] == [1.0, 0.9, 0.75, 0.5]
    rows = {row["max_error"]: row for row in figures["thresholds"]}
    assert list(rows) == [0.05, 0.1, 0.15, 0.2, 0.25, 0.3]
    assert rows[0.2]["threshold"] == threshold_for_error(probabilities, labels, 0.2)
    answered = probabilities.max(axis=1) >= rows[0.2]["threshold"]
    assert rows[0.2]["coverage"] == pytest.approx(answered.mean())
    assert rows[0.2]["error"] < 0.2
    text = format_selective(figures)
    assert f"{error:.1%} of 100%" in text
    assert f"20%: {rows[0.2]['threshold']:.3f} ({rows[0.2]['coverage']:.0%} answered)" in text
    few = measure_selective(*two_classes([0.9, 0.8], [True, True]))
    assert {row["threshold"] for row in few["thresholds"]} == {None}
    assert "5%: none" in format_selective(few)
