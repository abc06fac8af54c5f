"""All chance of an epoch is a function of (seed, epoch, row), and augmentation of its numbers."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ferkit.augmentation import augment
from ferkit.pipeline import TrainingBatches, predict_logits
from ferkit.plan import DRAWS, epoch_plan
from ferkit.recipe import Recipe

LABELS = np.array([0] * 10 + [1] * 3 + [4] * 7)


def by_row(plan):
    order = np.argsort(plan.rows)
    return plan.rows[order], plan.keys[order], plan.draws[order]


def test_a_plan_repeats_and_differs_between_epochs_and_seeds():
    first, again = epoch_plan(LABELS, "shuffle", 3, 5), epoch_plan(LABELS, "shuffle", 3, 5)
    for name in ("rows", "keys", "draws"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    for other in (epoch_plan(LABELS, "shuffle", 3, 6), epoch_plan(LABELS, "shuffle", 4, 5)):
        assert not np.array_equal(first.rows, other.rows)
        assert not np.array_equal(by_row(first)[2], by_row(other)[2])


def test_shuffle_shows_every_row_once_with_numbers_of_its_own():
    plan = epoch_plan(LABELS, "shuffle", 0, 0)
    assert sorted(plan.rows) == list(range(len(LABELS)))
    assert len(np.unique(plan.keys)) == len(LABELS)
    assert plan.draws.shape == (len(LABELS), len(DRAWS))
    assert plan.draws.min() >= 0
    assert plan.draws.max() < 1


def test_oversampling_balances_classes_and_spreads_repeats():
    plan = epoch_plan(LABELS, "oversample", 0, 2)
    assert np.bincount(LABELS[plan.rows]).tolist() == [10, 10, 0, 0, 10]
    for label in (0, 1, 4):
        times = np.bincount(plan.rows, minlength=len(LABELS))[label == LABELS]
        assert times.max() - times.min() <= 1
    assert len(np.unique(plan.keys)) == 30  # repeats of one row are augmented differently


def images_and_draws(rng, count=6, size=16):
    images = rng.integers(0, 256, (count, size, size, 1)).astype("uint8")
    return images, rng.random((count, len(DRAWS))).astype("float32")


def test_an_empty_recipe_leaves_images_alone(rng):
    images, draws = images_and_draws(rng)
    np.testing.assert_array_equal(augment(images, draws, Recipe()), images.astype("float32"))


@pytest.mark.parametrize("other", [{}, {"zoom": 1e-7}])
def test_flip_mirrors_the_rows_whose_number_is_below_a_half(other, rng):
    """Alone, and as part of a warp."""
    images, draws = images_and_draws(rng)
    draws[:, DRAWS.index("flip")] = [0.1, 0.9, 0.49, 0.51, 0.0, 0.99]
    flipped = augment(images, draws, Recipe(flip=True, **other)).numpy()
    for row in range(6):
        expected = images[row, :, ::-1] if row % 2 == 0 else images[row]
        np.testing.assert_allclose(flipped[row], expected, atol=0.02)


def test_shift_moves_by_the_share_it_says(rng):
    images, draws = images_and_draws(rng)
    draws[:, DRAWS.index("shift_x")], draws[:, DRAWS.index("shift_y")] = 1.0, 0.5
    moved = augment(images, draws, Recipe(shift=0.25)).numpy()
    np.testing.assert_allclose(moved[:, :, :12], images[:, :, 4:], atol=1e-3)
    np.testing.assert_allclose(moved[:, :, 12:], np.repeat(images[:, :, 15:], 4, axis=2), atol=1e-3)  # the edge repeats


def test_rotation_by_a_quarter_turns_the_image(rng):
    images, draws = images_and_draws(rng)
    draws[:, DRAWS.index("rotation")] = 1.0
    turned = augment(images, draws, Recipe(rotation=90.0)).numpy()
    np.testing.assert_allclose(turned, np.rot90(images, 1, axes=(1, 2)), atol=0.05)


def test_brightness_contrast_and_erasing_do_what_they_say(rng):
    images = np.full((4, 16, 16, 1), 100, "uint8")
    images[:, :8] = 60
    draws = np.full((4, len(DRAWS)), 0.5, "float32")
    draws[:, DRAWS.index("brightness")] = 1.0
    np.testing.assert_allclose(augment(images, draws, Recipe(brightness=0.1)), images + 25.5, atol=1e-3)
    draws[:, DRAWS.index("contrast")] = 1.0
    np.testing.assert_allclose(augment(images, draws, Recipe(contrast=0.5))[:, 0, 0, 0], [50] * 4, atol=1e-3)
    draws[:, DRAWS.index("erase")] = [0.1, 0.9, 0.1, 0.9]
    erased = augment(images, draws, Recipe(erase=0.5)).numpy()
    assert [bool((erased[row] == 127.5).any()) for row in range(4)] == [True, False, True, False]
    assert 0.02 < (erased[0] == 127.5).mean() < 0.3


FULL = Recipe(flip=True, rotation=20, shift=0.1, zoom=0.1, shear=0.1, brightness=0.1, contrast=0.1, erase=0.5)


def test_a_row_is_augmented_the_same_wherever_it_stands_eagerly_and_in_tf_data(rng):
    images, draws = images_and_draws(rng)
    whole = augment(images, draws, FULL).numpy()
    backwards = augment(images[::-1], draws[::-1], FULL).numpy()
    np.testing.assert_array_equal(whole[::-1], backwards)
    mapped = tf.data.Dataset.from_tensor_slices((images, draws)).batch(2).map(lambda i, d: augment(i, d, FULL))
    np.testing.assert_allclose(np.concatenate(list(mapped.as_numpy_iterator())), whole, atol=1e-3)
    assert whole.min() >= 0
    assert whole.max() <= 255


def test_batches_cover_the_epoch_and_can_start_in_the_middle(toy_split):
    recipe = dataclasses.replace(FULL, batch_size=40)
    batches = TrainingBatches(toy_split(count=100), recipe, (48, 48, 1))
    epoch = list(batches.epoch(3))
    assert batches.steps == len(epoch) == 3
    assert [len(labels) for _, labels, _ in epoch] == [40, 40, 20]
    for expected, received in zip(epoch[1:], batches.epoch(3, first_step=1), strict=True):
        for one, other in zip(expected, received, strict=True):
            np.testing.assert_array_equal(one, other)


def test_predictions_do_not_depend_on_the_batch_size(toy_split):
    from deep_emotion import DeepEmotion

    model, split = DeepEmotion("input_warp"), toy_split(count=21)
    whole = predict_logits(model, split.images)
    np.testing.assert_allclose(predict_logits(model, split.images, batch_size=4), whole, atol=1e-5)
    mirrored = predict_logits(model, split.images[:, :, ::-1].copy())
    np.testing.assert_allclose(predict_logits(model, split.images, mirror=True), mirrored, atol=1e-5)
