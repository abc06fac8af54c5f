"""Mixup and CutMix against values worked out by hand."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ferkit.input_pipeline import batches as pipeline
from ferkit.input_pipeline.epoch_plan import DRAWS, EpochPlan, epoch_plan
from ferkit.input_pipeline.mixup_cutmix import cut_box, mix
from ferkit.recipes.recipe import Recipe
from tests.support.training_batches import training_batches


def draws(count=1, **values):
    rows = np.full((count, len(DRAWS)), 0.5, np.float32)
    for name, value in values.items():
        rows[:, DRAWS.index(name)] = value
    return rows


def mixed(recipe, shares, **numbers):
    """A black 8x8 image mixed with a white one: its pixels and its own share."""
    black, white = np.zeros((1, 8, 8, 1), np.float32), np.full((1, 8, 8, 1), 200, np.float32)
    images, own = mix(
        tf.constant(black), tf.constant(white), draws(**numbers), np.float32([shares]), recipe
    )
    return images.numpy()[0, :, :, 0], float(own[0])


def test_mixup_blends_all_pixels():
    pixels, own = mixed(Recipe(mixup=1.0), [0.75, 1.0])
    np.testing.assert_array_equal(pixels, np.full((8, 8), 50.0))
    assert own == 0.75


def test_cutmix_pastes_a_box_and_corrects_its_share():
    pixels, own = mixed(
        Recipe(cutmix=1.0), [1.0, 0.75], cut_x=0.5, cut_y=0.5
    )  # sides 8 * sqrt(0.25) about (4, 4)
    expected = np.zeros((8, 8))
    expected[2:6, 2:6] = 200.0
    np.testing.assert_array_equal(pixels, expected)
    assert own == 0.75
    pixels, own = mixed(
        Recipe(cutmix=1.0), [1.0, 0.75], cut_x=0.0, cut_y=0.99
    )  # the border leaves 2 columns and 3 rows
    expected = np.zeros((8, 8))
    expected[5:8, 0:2] = 200.0
    np.testing.assert_array_equal(pixels, expected)
    assert own == pytest.approx(1 - 6 / 64)


def test_cut_boxes_range_from_nothing_to_everything():
    assert cut_box(8, 8, 1.0, 0.3, 0.3) == (slice(2, 2), slice(2, 2))
    assert cut_box(6, 8, 0.0, 0.5, 0.5) == (slice(0, 6), slice(0, 8))


@pytest.mark.parametrize(("kind", "own"), [(0.4, 1 - 16 / 64), (0.6, 0.5)])
def test_with_both_each_row_tosses_which(kind, own):
    assert mixed(Recipe(mixup=1.0, cutmix=1.0), [0.5, 0.75], mix_kind=kind)[1] == own


@pytest.mark.parametrize(("toss", "own"), [(0.29, 0.5), (0.31, 1.0)])
def test_mix_share_leaves_the_others_alone(toss, own):
    pixels, received = mixed(Recipe(mixup=1.0, mix_probability=0.3), [0.5, 1.0], mix=toss)
    assert received == own
    np.testing.assert_array_equal(pixels, np.full((8, 8), 200 * (1 - own)))


def one_batch(split, recipe, shares, monkeypatch, **numbers):
    """The batch of rows 0, 1, 2, ... in this order with these numbers."""
    count = len(split.labels)
    rows = np.arange(count, dtype=np.int32)
    plan = EpochPlan(rows, rows, draws(count, **numbers), np.float32(shares))
    monkeypatch.setattr(pipeline, "epoch_plan", lambda *arguments: plan)
    return [
        part.numpy() for part in next(iter(training_batches(split, recipe, (48, 48, 1)).epoch(0)))
    ]


def test_a_batch_is_mixed_with_its_mirror_and_so_are_its_targets(toy_split, monkeypatch):
    split = dataclasses.replace(toy_split(count=4), labels=np.array([0, 0, 0, 2], np.int32))
    shares = [[0.75, 1], [0.5, 1], [1, 1], [0.25, 1]]
    recipe = Recipe(batch_size=4, mixup=1.0, class_weights="balanced")
    images, targets, labels, keys, count = one_batch(split, recipe, shares, monkeypatch)
    pixels = split.images.astype(np.float32)
    for row, share in enumerate((0.75, 0.5, 1.0, 0.25)):
        np.testing.assert_allclose(
            images[row], share * pixels[row] + (1 - share) * pixels[3 - row], rtol=1e-6
        )
    common, rare = 4 / (2 * 3), 4 / (2 * 1)
    expected = np.zeros((4, 7))
    expected[:, 0] = [0.75 * common, common, common, 0.75 * common]
    expected[:, 2] = [0.25 * rare, 0, 0, 0.25 * rare]
    np.testing.assert_allclose(targets, expected, rtol=1e-6)
    assert labels.tolist() == [
        0,
        0,
        0,
        0,
    ]  # before weighting: a quarter of class 2, three quarters of class 0
    assert keys.tolist() == [0, 1, 2, 3]
    assert count == 4


def test_at_a_tie_a_rows_own_label_wins(toy_split, monkeypatch):
    _, targets, labels, _, _ = one_batch(
        toy_split(count=2), Recipe(batch_size=2, mixup=1.0), [[0.5, 1]] * 2, monkeypatch
    )
    np.testing.assert_array_equal(targets[:, :2], np.full((2, 2), 0.5))
    assert labels.tolist() == [0, 1]


def test_partners_are_augmented_by_their_own_numbers(toy_split, monkeypatch):
    """Row 0 is mirrored, row 1 is not.

    CutMix then takes rows and columns of the augmented partner.
    """
    split = toy_split(count=2)
    recipe = Recipe(batch_size=2, cutmix=1.0, flip=True)
    shares = [
        [1, 0.0]
    ] * 2  # a box of the whole size about the middle: all pixels are the partner's
    images, targets, labels, _, _ = one_batch(
        split, recipe, shares, monkeypatch, flip=np.array([0.1, 0.9])
    )
    np.testing.assert_array_equal(images[0], split.images[1])
    np.testing.assert_array_equal(images[1], split.images[0, :, ::-1])
    np.testing.assert_array_equal(targets, np.eye(7)[[1, 0]])
    assert labels.tolist() == [1, 0]


def test_the_row_in_the_middle_stays_itself(toy_split, monkeypatch):
    split = toy_split(count=3)
    images, targets, *_ = one_batch(
        split, Recipe(batch_size=3, mixup=1.0), [[0.5, 1]] * 3, monkeypatch
    )
    np.testing.assert_array_equal(images[1], split.images[1])
    np.testing.assert_array_equal(targets[1], np.eye(7)[1])


def test_mixing_leaves_order_keys_and_augmentation_as_they_are():
    labels = np.arange(30) % 3
    plain, mixing = (
        epoch_plan(labels, "shuffle", 1, 2),
        epoch_plan(labels, "shuffle", 1, 2, mixup=0.2, cutmix=1.0),
    )
    for name in ("rows", "row_seeds", "random"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(mixing, name))
