"""From a split to batches: images in memory or in their files, and what a model of another size or colour gets."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from ferkit.evaluation.evaluate import split_logits
from ferkit.evaluation.inference import BatchedLogits
from ferkit.input_pipeline.augmentation import augment
from ferkit.input_pipeline.batches import resize_to_input
from ferkit.input_pipeline.dataset import Split
from ferkit.input_pipeline.epoch_plan import DRAWS, epoch_plan
from ferkit.recipes.recipe import Recipe
from ferkit.training.optimizers import build_optimizer, learning_rate
from generate_data.images.lazy_array import ImageFiles
from tests.support.training_batches import training_batches

NAMES = ("a", "b", "c")


@pytest.fixture
def files(tmp_path, rng):
    """Twelve colour pictures on disk, of several sizes."""
    paths = []
    for index in range(12):
        paths.append(tmp_path / f"{index}.png")
        cv2.imwrite(str(paths[-1]), rng.integers(0, 256, (20 + index, 24, 3)).astype(np.uint8))
    return ImageFiles(paths, 16, 3)


def split_of(images):
    labels = (np.arange(len(images)) % 3).astype(np.int32)
    return Split(
        "train", images, labels, np.array([""] * len(images)), labels, NAMES, has_train=True
    )


def test_files_and_arrays_give_the_same_batches(files):
    recipe = Recipe(batch_size=5, flip=True, rotation=10.0, erase=0.5)
    from_files = list(training_batches(split_of(files), recipe, (16, 16, 3)).epoch(2))
    from_array = list(training_batches(split_of(files[:]), recipe, (16, 16, 3)).epoch(2))
    assert [len(batch[0]) for batch in from_files] == [5, 5, 2]
    for received, expected in zip(from_files, from_array, strict=True):
        for one, other in zip(received, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_resumed_epoch_of_files_goes_on_where_it_was(files):
    batches = training_batches(split_of(files), Recipe(batch_size=5, rotation=10.0), (16, 16, 3))
    whole, rest = list(batches.epoch(1)), list(batches.epoch(1, first_step=1))
    np.testing.assert_array_equal(
        np.concatenate([b[0] for b in whole[1:]]), np.concatenate([b[0] for b in rest])
    )


def test_the_end_of_an_epoch_does_not_wait_for_autotuning(files):
    assert (
        training_batches(split_of(files), Recipe(batch_size=5), (16, 16, 3))
        .epoch(0)
        .options()
        .autotune.enabled
        is False
    )


def test_an_image_that_is_gone_is_named(files, tmp_path):
    batches = training_batches(split_of(files), Recipe(batch_size=12), (16, 16, 3))
    (tmp_path / "3.png").unlink()
    with pytest.raises(Exception, match=r"3\.png: the image is missing"):
        list(batches.epoch(0))


def test_fit_images_converts_colour_and_size():
    gray = np.full((1, 4, 4, 1), 100, np.uint8)
    np.testing.assert_array_equal(resize_to_input(gray, (4, 4, 3)), np.full((1, 4, 4, 3), 100.0))
    red = np.zeros((1, 2, 2, 3), np.uint8)
    red[..., 0] = 100
    np.testing.assert_allclose(
        resize_to_input(red, (2, 2, 1)), np.full((1, 2, 2, 1), 29.89), atol=0.01
    )  # ITU-R 601
    ramp = np.array([0, 100], np.uint8).reshape(1, 1, 2, 1)
    # Pixel centres of the four lie at -1/4, 1/4, 3/4 and 5/4 of the two.
    np.testing.assert_allclose(
        resize_to_input(ramp, (1, 4, 1))[0, 0, :, 0], [0, 25, 75, 100], atol=1e-4
    )
    same = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(resize_to_input(same, (4, 4, 1)), same)


def test_predictions_on_another_size_are_those_on_images_resized_before(rng):
    from dan_tf import DAN

    model = DAN("convnext_atto", NAMES, 32, 3, num_heads=0)
    images = rng.integers(0, 256, (5, 24, 24, 1)).astype(np.uint8)
    resized = resize_to_input(images, (32, 32, 3))
    predict_logits = BatchedLogits(model, images.shape[1:])
    np.testing.assert_allclose(predict_logits(images, batch_size=2), model(resized), atol=1e-4)
    mirrored = predict_logits(images[:, :, ::-1].copy())
    np.testing.assert_allclose(predict_logits(images, mirror=True), mirrored, atol=1e-4)


# ---- new recipe fields -------------------------------------------------------------------------------------------------


def draws(**values):
    row = np.full((1, len(DRAWS)), 0.5, np.float32)
    for name, value in values.items():
        row[0, DRAWS.index(name)] = value
    return tf.constant(row)


def dot(row, column, size=9):
    image = np.zeros((1, size, size, 1), np.uint8)
    image[0, row, column] = 200
    return image


def test_warp_share_leaves_the_others_unwarped_but_flipped():
    recipe = Recipe(affine_probability=0.3, shift=0.5, flip=True)
    moved = augment(dot(4, 2), draws(warp=0.2, shift_x=1.0, flip=0.9), recipe)
    assert float(moved[0, 4, 2, 0]) == 0.0
    kept = augment(dot(4, 2), draws(warp=0.4, shift_x=1.0, flip=0.1), recipe)
    np.testing.assert_allclose(kept, dot(4, 6), atol=1e-3)


def test_shrink_makes_the_face_smaller():
    recipe = Recipe(zoom_out=0.5)
    image = dot(4, 0) + dot(4, 8)
    smaller = augment(image, draws(zoom_out=1.0), recipe)[0, 4, :, 0].numpy()
    assert smaller[2] == pytest.approx(200.0, abs=0.1)  # four pixels from the middle became two
    assert smaller[6] == pytest.approx(200.0, abs=0.1)
    np.testing.assert_allclose(augment(image, draws(zoom_out=0.0), recipe), image, atol=1e-3)


@pytest.mark.parametrize(("most", "area"), [(0.25, 0.25), (1.0, 1.0)])
def test_erase_most_is_the_largest_area(most, area):
    white = np.full((1, 40, 40, 1), 255, np.uint8)
    numbers = draws(
        erase=0.0, erase_area=1.0, erase_aspect=0.5, erase_x=0.0, erase_y=0.0, erase_value=0.0
    )
    erased = augment(white, numbers, Recipe(erase=1.0, erase_max_area=most))
    assert float(np.mean(np.asarray(erased) == 0)) == pytest.approx(area, abs=0.03)


def test_inverse_frequency_draws_classes_alike():
    labels = np.repeat([0, 1, 2], [900, 90, 10])
    plan = epoch_plan(labels, "inverse_frequency", seed=0, epoch=0)
    assert len(plan.rows) == 1000
    np.testing.assert_allclose(np.bincount(labels[plan.rows]), 333, atol=45)
    assert (epoch_plan(labels, "inverse_frequency", 0, 1).rows != plan.rows).any()
    np.testing.assert_array_equal(epoch_plan(labels, "inverse_frequency", 0, 0).rows, plan.rows)


def test_a_class_without_rows_is_no_trouble_to_inverse_frequency():
    assert set(epoch_plan(np.array([0, 0, 2]), "inverse_frequency", 0, 0).rows) <= {0, 1, 2}


def test_decay_epochs_and_plain_momentum():
    recipe = Recipe(
        optimizer="momentum",
        schedule="step",
        decay=0.1,
        decay_epochs=10.0,
        learning_rate=1.0,
        epochs=40,
    )
    rates = [learning_rate(recipe, epoch * 5, 5) for epoch in (0, 9, 10, 25)]
    assert rates == pytest.approx([1.0, 1.0, 0.1, 0.01])
    assert build_optimizer(recipe, []).nesterov is False
    assert build_optimizer(recipe.replace(optimizer="sgd"), []).nesterov is True


def test_averaging_over_views_is_the_mean_of_their_probabilities(rng):
    from deep_emotion import DeepEmotion

    images = rng.integers(0, 256, (3, 48, 48, 1)).astype("uint8")
    split, model = split_of(images), DeepEmotion("paper", dropout=0.0)
    last = model.get_layer("logits").kernel
    last.assign(rng.normal(0.0, 20.0, last.shape))  # or views would hardly differ
    views = []
    for top, left in ((0, 0), (0, 1 / 12), (1 / 12, 0), (1 / 12, 1 / 12), (1 / 24, 1 / 24)):
        for view in (images, images[:, :, ::-1]):
            box = [[top, left, top + 11 / 12, left + 11 / 12]] * 3
            views.append(
                tf.nn.softmax(
                    model(tf.image.crop_and_resize(view.astype("float32"), box, range(3), (48, 48)))
                )
            )
    expected = {"ten-crop": np.mean(views, axis=0)}
    expected["flip"] = np.mean(
        [tf.nn.softmax(model(v.astype("float32"))) for v in (images, images[:, :, ::-1])], axis=0
    )
    for tta, probabilities in expected.items():
        np.testing.assert_allclose(
            np.exp(split_logits(model, split, tta)), probabilities, atol=1e-5, err_msg=tta
        )
    assert np.abs(expected["flip"] - expected["ten-crop"]).max() > 1e-3
