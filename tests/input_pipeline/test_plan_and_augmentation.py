"""All chance of an epoch is a function of (seed, epoch, row), and augmentation of its numbers."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ferkit.errors import UserError
from ferkit.evaluation.inference import BatchedLogits
from ferkit.input_pipeline import augmentation
from ferkit.input_pipeline.augmentation import augment
from ferkit.input_pipeline.epoch_plan import DRAWS, epoch_plan
from ferkit.recipes.recipe import Recipe
from tests.support.training_batches import training_batches

LABELS = np.array([0] * 10 + [1] * 3 + [4] * 7)


def by_row(plan):
    order = np.argsort(plan.rows)
    return plan.rows[order], plan.row_seeds[order], plan.random[order]


def test_a_plan_repeats_and_differs_between_epochs_and_seeds():
    first, again = epoch_plan(LABELS, "shuffle", 3, 5), epoch_plan(LABELS, "shuffle", 3, 5)
    for name in ("rows", "row_seeds", "random"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    for other in (epoch_plan(LABELS, "shuffle", 3, 6), epoch_plan(LABELS, "shuffle", 4, 5)):
        assert not np.array_equal(first.rows, other.rows)
        assert not np.array_equal(by_row(first)[2], by_row(other)[2])


def test_shuffle_shows_every_row_once_with_numbers_of_its_own():
    plan = epoch_plan(LABELS, "shuffle", 0, 0)
    assert sorted(plan.rows) == list(range(len(LABELS)))
    assert len(np.unique(plan.row_seeds)) == len(LABELS)
    assert plan.random.shape == (len(LABELS), len(DRAWS))
    assert plan.random.min() >= 0
    assert plan.random.max() < 1


def test_oversampling_balances_classes_and_spreads_repeats():
    plan = epoch_plan(LABELS, "oversample", 0, 2)
    assert np.bincount(LABELS[plan.rows]).tolist() == [10, 10, 0, 0, 10]
    for label in (0, 1, 4):
        times = np.bincount(plan.rows, minlength=len(LABELS))[label == LABELS]
        assert times.max() - times.min() <= 1
    assert len(np.unique(plan.row_seeds)) == 30  # repeats of one row are augmented differently


def test_new_purposes_leave_the_numbers_of_the_old_ones():
    """Values drawn before crop and mixing were there."""
    plan = epoch_plan(LABELS, "shuffle", 3, 5, mixup=0.2, cutmix=1.0)
    assert plan.rows[:4].tolist() == [2, 1, 6, 16]
    assert plan.row_seeds[:2].tolist() == [677838243, 305222863]
    np.testing.assert_array_equal(
        plan.random[0, :2], np.float32([0.3528112769126892, 0.8309236168861389])
    )
    warp = plan.random[0, [DRAWS.index("warp"), DRAWS.index("zoom_out")]]
    np.testing.assert_array_equal(warp, np.float32([0.4811326265335083, 0.2785595655441284]))


def test_shares_are_beta_numbers_of_each_row():
    labels = np.zeros(4000, int)
    assert (epoch_plan(labels, "shuffle", 0, 0).mix_lambdas == 1).all()
    plan = epoch_plan(labels, "shuffle", 0, 0, mixup=0.2, cutmix=1.0)
    # Beta(a, a): mean 1/2, variance 1 / (4 (2a + 1)).
    np.testing.assert_allclose(plan.mix_lambdas.mean(axis=0), 0.5, atol=0.03)
    np.testing.assert_allclose(plan.mix_lambdas.var(axis=0), [1 / 5.6, 1 / 12], atol=0.01)
    alone = epoch_plan(labels, "shuffle", 0, 0, cutmix=1.0)
    np.testing.assert_array_equal(alone.mix_lambdas[:, 1], plan.mix_lambdas[:, 1])
    assert (alone.mix_lambdas[:, 0] == 1).all()


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
    np.testing.assert_allclose(
        moved[:, :, 12:], np.repeat(images[:, :, 15:], 4, axis=2), atol=1e-3
    )  # the edge repeats


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
    np.testing.assert_allclose(
        augment(images, draws, Recipe(brightness=0.1)), images + 25.5, atol=1e-3
    )
    draws[:, DRAWS.index("contrast")] = 1.0
    np.testing.assert_allclose(
        augment(images, draws, Recipe(contrast=0.5))[:, 0, 0, 0], [50] * 4, atol=1e-3
    )
    draws[:, DRAWS.index("erase")] = [0.1, 0.9, 0.1, 0.9]
    erased = augment(images, draws, Recipe(erase=0.5)).numpy()
    assert [bool((erased[row] == 127.5).any()) for row in range(4)] == [True, False, True, False]
    assert 0.02 < (erased[0] == 127.5).mean() < 0.3


def test_noise_has_the_deviation_of_its_number_and_spares_half_of_the_images(rng):
    images = np.full((4, 96, 96, 3), 128, np.uint8)
    draws = rng.random((4, len(DRAWS)), dtype=np.float32)
    draws[:, DRAWS.index("noise")] = [0.4, 0.5, 0.75, 0.999]
    noisy = augment(images, draws, Recipe(noise=0.1)).numpy()
    np.testing.assert_array_equal(noisy[:2], images[:2])
    assert noisy[2].std() == pytest.approx(12.75, rel=0.05)
    assert noisy[3].std() == pytest.approx(25.5, rel=0.05)
    np.testing.assert_array_equal(noisy[..., 0], noisy[..., 1])
    other = draws.copy()
    other[:, DRAWS.index("noise_seed")] = 0.5
    assert not np.array_equal(augment(images, other, Recipe(noise=0.1)).numpy()[3], noisy[3])
    strong = augment(images, draws, Recipe(noise=1.0)).numpy()
    assert (strong.min(), strong.max()) == (0, 255)


@pytest.mark.parametrize("channels", [1, 3])
def test_flip_and_crop_copy_pixels_exactly(channels, rng):
    images = rng.integers(0, 256, (3, 20, 20, channels)).astype("uint8")
    draws = rng.random((3, len(DRAWS))).astype("float32")
    # floor(draw * 5) - 2: by -2, 1 and 2 pixels.
    draws[:, DRAWS.index("crop_x")], draws[:, DRAWS.index("crop_y")] = (
        [0.0, 0.6, 0.999],
        [0.79, 0.5, 0.19],
    )
    draws[:, DRAWS.index("flip")] = [0.9, 0.1, 0.9]
    cropped = augment(images, draws, Recipe(flip=True, crop=2)).numpy()
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge").astype("float32")
    np.testing.assert_array_equal(cropped[0], padded[0, 3:23, 0:20])
    np.testing.assert_array_equal(cropped[1], padded[1, 2:22, 3:23][:, ::-1])
    np.testing.assert_array_equal(cropped[2], padded[2, 0:20, 4:24])


def test_a_crop_shifts_by_every_whole_number_alike(rng):
    ramp = np.tile(np.arange(64, dtype="uint8")[None, None, :, None], (700, 4, 1, 1))
    draws = rng.random((700, len(DRAWS))).astype("float32")
    shifts = augment(ramp, draws, Recipe(crop=3)).numpy()[:, 0, 32, 0] - 32
    assert sorted(set(shifts)) == [-3, -2, -1, 0, 1, 2, 3]
    assert np.unique(shifts, return_counts=True)[1].min() > 70


def test_a_warp_blends_the_four_neighbours():
    image = np.zeros((1, 9, 9, 3), "uint8")
    image[0, 4, 4], image[0, 4, 5] = (100, 0, 40), (200, 100, 40)
    draws = np.full((1, len(DRAWS)), 0.5, "float32")
    draws[:, DRAWS.index("shift_x")] = 0.5 + 0.25 / 18  # a quarter pixel of 9
    moved = augment(image, draws, Recipe(shift=1.0)).numpy()
    np.testing.assert_allclose(moved[0, 4, 4], [125, 25, 40], atol=1.0)
    np.testing.assert_allclose(moved[0, 4, 3], [25, 0, 10], atol=1.0)


FULL = Recipe(
    flip=True,
    crop=2,
    rotation=20,
    shift=0.1,
    zoom=0.1,
    shear=0.1,
    brightness=0.1,
    noise=0.1,
    contrast=0.1,
    erase=0.5,
)


def test_a_row_is_augmented_the_same_wherever_it_stands_eagerly_and_in_tf_data(rng):
    images, draws = images_and_draws(rng)
    whole = augment(images, draws, FULL).numpy()
    backwards = augment(images[::-1], draws[::-1], FULL).numpy()
    np.testing.assert_array_equal(whole[::-1], backwards)
    alone = np.concatenate(
        [augment(images[row : row + 1], draws[row : row + 1], FULL) for row in range(len(images))]
    )
    np.testing.assert_array_equal(whole, alone)
    mapped = (
        tf.data.Dataset.from_tensor_slices((images, draws))
        .batch(2)
        .map(lambda i, d: augment(i, d, FULL))
    )
    np.testing.assert_array_equal(np.concatenate(list(mapped.as_numpy_iterator())), whole)
    assert whole.min() >= 0
    assert whole.max() <= 255


def test_batches_cover_the_epoch_and_can_start_in_the_middle(toy_split):
    recipe = dataclasses.replace(FULL, batch_size=40)
    batches = training_batches(toy_split(count=100), recipe, (48, 48, 1))
    epoch = list(batches.epoch(3))
    assert batches.steps == len(epoch) == 3
    assert [len(batch[0]) for batch in epoch] == [40, 40, 20]
    assert [int(batch[4]) for batch in epoch] == [40, 40, 20]
    for expected, received in zip(epoch[1:], batches.epoch(3, first_step=1), strict=True):
        for one, other in zip(expected, received, strict=True):
            np.testing.assert_array_equal(one, other)


MIXED = dataclasses.replace(
    FULL, batch_size=40, mixup=0.4, cutmix=1.0, mix_probability=0.6, class_weights="balanced"
)


@pytest.mark.parametrize("recipe", [dataclasses.replace(FULL, batch_size=40), MIXED])
@pytest.mark.parametrize("workers", [2, 3])
def test_workers_together_see_the_batches_of_one(recipe, workers, toy_split):
    split = toy_split(count=101)  # parts of 13 and 14 of 40 rows, and of the last 21
    whole = list(training_batches(split, recipe, (48, 48, 1)).epoch(3))
    parts = [
        training_batches(split, recipe, (48, 48, 1), worker=(index, workers)).epoch(3)
        for index in range(workers)
    ]
    for expected, *received in zip(whole, *parts, strict=True):
        counts = [len(part[0]) for part in received]
        count = int(expected[4])
        assert counts == [
            count * (index + 1) // workers - count * index // workers for index in range(workers)
        ]
        assert [int(part[4]) for part in received] == [count] * workers
        for place in range(4):
            np.testing.assert_array_equal(
                np.concatenate([part[place] for part in received]), expected[place]
            )


def test_only_a_workers_own_rows_are_augmented(toy_split, monkeypatch):
    seen, augment_rows = [], augmentation._augment
    monkeypatch.setattr(
        augmentation, "_augment", lambda i, d, r: [seen.append(len(i)), augment_rows(i, d, r)][1]
    )
    list(
        training_batches(
            toy_split(count=40), FULL.replace(batch_size=40), (48, 48, 1), worker=(1, 4)
        ).epoch(0)
    )
    assert seen == [10]
    mixing = MIXED.replace(mix_probability=0.0)
    list(training_batches(toy_split(count=40), mixing, (48, 48, 1), worker=(1, 4)).epoch(0))
    assert seen == [10, 10]
    list(
        training_batches(
            toy_split(count=40), mixing.replace(mix_probability=1.0), (48, 48, 1), worker=(1, 4)
        ).epoch(0)
    )
    assert seen == [10, 10, 20]


@pytest.mark.parametrize(
    ("drop_below", "counts"), [(1, [40, 40, 3]), (3, [40, 40, 3]), (4, [40, 40])]
)
def test_a_last_batch_too_small_for_the_replicas_is_left_out(drop_below, counts, toy_split):
    recipe = Recipe(batch_size=40)
    batches = training_batches(toy_split(count=83), recipe, (48, 48, 1), drop_below=drop_below)
    assert batches.steps == len(counts)
    assert [int(batch[4]) for batch in batches.epoch(0)] == counts
    assert [int(batch[4]) for batch in batches.epoch(0, first_step=1)] == counts[1:]


@pytest.mark.parametrize(("count", "batch_size"), [(3, 40), (83, 3)])
def test_too_few_rows_for_the_replicas_is_an_error(count, batch_size, toy_split):
    with pytest.raises(
        UserError,
        match=f"--batch_size {batch_size}: 3 rows per batch; each of the replicas needs one of at least 4; train on fewer replicas",
    ):
        training_batches(
            toy_split(count=count), Recipe(batch_size=batch_size), (48, 48, 1), drop_below=4
        )


def test_a_mixed_epoch_can_start_in_the_middle(toy_split):
    batches = training_batches(toy_split(count=100), MIXED, (48, 48, 1))
    for expected, received in zip(
        list(batches.epoch(3))[1:], batches.epoch(3, first_step=1), strict=True
    ):
        for one, other in zip(expected, received, strict=True):
            np.testing.assert_array_equal(one, other)


def test_predictions_do_not_depend_on_the_batch_size(toy_split):
    from deep_emotion import DeepEmotion

    model, split = DeepEmotion("input_warp"), toy_split(count=21)
    predict_logits = BatchedLogits(model, split.images.shape[1:])
    whole = predict_logits(split.images)
    np.testing.assert_allclose(predict_logits(split.images, batch_size=4), whole, atol=1e-5)
    mirrored = predict_logits(split.images[:, :, ::-1].copy())
    np.testing.assert_allclose(predict_logits(split.images, mirror=True), mirrored, atol=1e-5)


@pytest.mark.parametrize("recipe", [dataclasses.replace(FULL, batch_size=40), MIXED])
def test_a_worker_without_a_row_still_gets_a_batch(recipe, toy_split):
    batches = training_batches(toy_split(count=41), recipe, (48, 48, 1), worker=(0, 2))
    images, targets, labels, keys, count = list(batches.epoch(0))[1]
    assert images.shape == (0, 48, 48, 1)
    assert targets.shape == (0, 7)
    assert len(labels) == len(keys) == 0
    assert int(count) == 1
