"""The figures on corrupted images, of a model whose answers are known, and their table."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ferkit.evaluation.corruptions import CORRUPTIONS
from ferkit.evaluation.robustness import format_robustness, measure_robustness, robustness_means

DARK_LABEL = 3


class BrightnessModel:
    """Says `angry` for an image with a bright mean, and `happy` with less confidence for others."""

    input_shape = (None, 48, 48, 1)

    def __call__(self, images, training=False):
        is_bright = tf.reduce_mean(images, axis=(1, 2, 3)) > 100.0
        sure, unsure = tf.one_hot(0, 7) * 5.0, tf.one_hot(DARK_LABEL, 7) * 1.0
        return tf.where(is_bright[:, None], sure, unsure)


@pytest.fixture
def split(toy_split):
    """Flat images of brightness 150, two of three labeled `angry`, the others `happy`."""
    rows = toy_split("val", 300)
    labels = np.where(np.arange(300) % 3, 0, DARK_LABEL).astype(np.int32)
    return dataclasses.replace(rows, images=np.full_like(rows.images, 150), labels=labels)


def test_figures_by_hand(split):
    figures = measure_robustness(BrightnessModel(), split, threshold=0.4, count=1000)
    assert figures["images"] == 300
    sure = np.exp(5) / (np.exp(5) + 6)
    assert figures["clean"]["accuracy"] == pytest.approx(2 / 3)
    assert figures["clean"]["above_threshold"] == 1.0
    assert figures["clean"]["expected_calibration_error"] == pytest.approx(sure - 2 / 3)
    # 150 times 0.6 is darker than 100, so the answer is `happy` with 31 %: below the threshold.
    unsure = np.exp(1) / (np.exp(1) + 6)
    for level in figures["corruptions"]["dark"]:
        assert level["accuracy"] == pytest.approx(1 / 3)
        assert level["above_threshold"] == 0.0
        assert level["expected_calibration_error"] == pytest.approx(1 / 3 - unsure, abs=1e-6)
    # Everything else keeps the mean of the image above 100.
    others = set(CORRUPTIONS) - {"dark"}
    for name in others:
        assert {row["accuracy"] for row in figures["corruptions"][name]} == {
            figures["clean"]["accuracy"]
        }, name
    assert [row["severity"] for row in figures["corruptions"]["blur"]] == [1, 2, 3, 4, 5]
    assert [row["severity"] for row in figures["corruptions"]["mirrored"]] == [1]
    mean = (10 * 2 / 3 + 1 / 3) / 11  # of the 11 corruptions, only `dark` is worse
    assert figures["mean_accuracy"] == pytest.approx(mean)
    assert figures["relative_accuracy"] == pytest.approx(mean * 3 / 2)


def test_a_corruption_with_one_severity_counts_as_much_as_one_with_five(split):
    figures = measure_robustness(BrightnessModel(), split, threshold=0.4)
    means = robustness_means(figures)
    assert figures["mean_accuracy"] == pytest.approx(
        np.mean([row["accuracy"] for row in means.values()])
    )
    assert len(means) == 11


def test_a_random_part_of_the_images_is_the_same_for_a_seed(split):
    def measured(seed):
        return measure_robustness(BrightnessModel(), split, 0.4, count=60, seed=seed)

    assert measured(1) == measured(1)
    assert measured(1)["images"] == 60
    assert measured(1)["clean"]["accuracy"] != measured(2)["clean"]["accuracy"]


def test_no_correct_prediction_has_no_relative_accuracy(split):
    wrong = dataclasses.replace(split, labels=np.full(300, 5, np.int32))
    figures = measure_robustness(BrightnessModel(), wrong, 0.4, count=20)
    assert figures["relative_accuracy"] is None
    assert "unknown of the 0.0% without" in format_robustness(figures)


def test_mirror_averaging_is_used(split):
    class LeftModel(BrightnessModel):
        def __call__(self, images, training=False):
            left = tf.reduce_mean(images[:, :, :24], axis=(1, 2, 3))
            right = tf.reduce_mean(images[:, :, 24:], axis=(1, 2, 3))
            return tf.where((left > right)[:, None], tf.one_hot(0, 7), tf.one_hot(1, 7)) * 5.0

    images = split.images.copy()
    images[:, :, 24:] = 100
    sided = dataclasses.replace(split, images=images, labels=np.zeros(300, np.int32))
    alone = measure_robustness(LeftModel(), sided, 0.6, count=20)
    assert alone["clean"]["above_threshold"] == 1.0
    assert alone["corruptions"]["mirrored"][0]["accuracy"] == 0.0
    averaged = measure_robustness(LeftModel(), sided, 0.6, count=20, tta="flip")
    assert averaged["tta"] == "flip"
    assert averaged["clean"]["above_threshold"] == 0.0  # two answers with half the probability


def test_the_table_has_a_row_for_each_corruption(split):
    figures = measure_robustness(BrightnessModel(), split, threshold=0.4)
    lines = format_robustness(figures).splitlines()
    assert lines[0].startswith("Robustness, 300 images drawn at random (seed 0)")
    assert "confidence >= 40%" in lines[1]
    rows = {line[2:17].strip(): line[17:].split() for line in lines[2:-1]}
    assert rows["none"] == ["66.7%", "29.4%", "100.0%"]
    assert rows["dark"] == ["33.3%"] * 6 + ["2.2%", "0.0%"]
    assert rows["mirrored"] == ["66.7%", "66.7%", "29.4%", "100.0%"]
    assert set(rows) == {"none"} | {name.replace("_", " ") for name in CORRUPTIONS}
    assert len({len(line) for line in lines[1:-1]}) == 1, "columns are aligned"
    assert lines[-1].strip() == (
        "mean accuracy with corruptions 63.6%, which is 95.5% of the 66.7% without"
    )
