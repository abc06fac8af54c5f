"""Temperature scaling: fit, held-out calibration errors, and merging into the last layer."""

import numpy as np
import pytest

from dan_tf import DAN
from deep_emotion import DeepEmotion
from ferkit.evaluation.metrics import expected_calibration_error, mean_probabilities, softmax
from ferkit.release.calibration import (
    errors_if_perfect,
    fit_temperature,
    held_out_errors,
    merge_temperature,
)


def calibrated(rng, rows=6000, classes=4):
    """Logits, and labels drawn from their probabilities."""
    logits = rng.normal(0, 2, (rows, classes))
    labels = (softmax(logits).cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)
    return logits, labels


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_temperature_is_found_again(rng, temperature):
    logits, labels = calibrated(rng)
    assert fit_temperature(logits[None] * temperature, labels) == pytest.approx(
        temperature, rel=0.06
    )


def test_two_views_share_one_temperature(rng):
    logits, labels = calibrated(rng)
    views = np.stack([logits + rng.normal(0, 1, logits.shape) for _ in range(2)])
    alone = fit_temperature(views[:1], labels)
    shared = fit_temperature(views, labels)
    assert alone > shared > 1  # the average over views is less sure already
    probabilities = mean_probabilities(views / shared)
    np.testing.assert_allclose(
        probabilities, (softmax(views[0] / shared) + softmax(views[1] / shared)) / 2
    )

    def loss(temperature):
        return -sum(
            np.log(mean_probabilities(views[:n] / temperature)[np.arange(6000), labels]).mean()
            for n in (1, 2)
        )

    around = [loss(share * shared) for share in (0.95, 1, 1.05)]
    assert min(around) == around[1]


def test_held_out_errors_show_what_calibration_brings(rng):
    logits, labels = calibrated(rng)
    one, two = held_out_errors(np.stack([3 * logits, 3 * logits]), labels)
    assert one == pytest.approx(two)
    assert one < 0.03 < 0.1 < expected_calibration_error(softmax(3 * logits), labels)
    assert held_out_errors(3 * logits[None], labels) == held_out_errors(3 * logits[None], labels)


def test_perfect_probabilities_measure_what_drawn_labels_do(rng):
    """For labels drawn from the probabilities, held-out errors are those of a perfect model."""
    logits, labels = calibrated(rng)
    views = np.stack([logits, logits])
    perfect, held_out = errors_if_perfect(views), held_out_errors(views, labels)
    assert perfect[0] == pytest.approx(perfect[1], rel=0.3)
    assert held_out[0] == pytest.approx(perfect[0], rel=0.35)
    assert errors_if_perfect(views) == perfect
    assert errors_if_perfect(views[:, :600])[0] > 2 * perfect[0]  # fewer rows, more chance


@pytest.mark.parametrize(
    "make",
    [
        lambda: DeepEmotion("paper"),
        lambda: DeepEmotion("residual"),
        lambda: DAN("convnext_atto", image_size=48, channels=1),
        lambda: DAN("convnext_atto", image_size=48, channels=1, num_heads=0),
    ],
)
def test_folding_divides_the_logits(make, rng):
    model = make()
    pixels = rng.integers(0, 256, (3, 48, 48, 1)).astype("float32")
    before = np.array(model(pixels))
    merge_temperature(model, 2.5)
    np.testing.assert_allclose(np.array(model(pixels)), before / 2.5, rtol=1e-4, atol=1e-5)
