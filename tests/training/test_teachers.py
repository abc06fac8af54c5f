"""Teachers and first weights.

Targets are what the teachers say, and a training begins where another ended.
"""

import dataclasses

import numpy as np
import pytest

from deep_emotion import DeepEmotion
from ferkit.errors import UserError
from ferkit.evaluation.metrics import softmax
from ferkit.models.saved_model import load_model
from ferkit.recipes.recipe import Recipe
from ferkit.training import teachers as distillation
from ferkit.training.build_model import build_model, load_initial_weights
from ferkit.training.devices import one_device
from ferkit.training.step import TrainingStep
from ferkit.training.teachers import BatchTeachers, teacher_probabilities
from tests.support.mutations import mutations
from tests.support.training_batches import training_batches

NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    """Two untrained models, one of another variant, as files."""
    folder = tmp_path_factory.mktemp("teachers")
    paths = []
    for number, variant in enumerate(("paper", "input_warp")):
        model = DeepEmotion(variant)
        for weight in model.trainable_variables:
            weight.assign(weight + np.random.default_rng(number).normal(0, 0.1, weight.shape))
        model.save(folder / f"{variant}.keras")
        paths.append((str(folder / f"{variant}.keras"), model))
    return paths


def test_teachers_are_averaged_over_themselves_and_mirror_images(teachers, toy_split):
    split = toy_split(count=9)
    views = [split.images.astype("float32"), split.images[:, :, ::-1].astype("float32")]
    expected = np.mean(
        [softmax(np.asarray(model(view), np.float64)) for _, model in teachers for view in views],
        axis=0,
    )
    said = teacher_probabilities(split, ", ".join(path for path, _ in teachers))
    np.testing.assert_allclose(said, expected, atol=1e-5)
    np.testing.assert_allclose(said.sum(axis=1), 1.0)


def test_teachers_are_asked_once_and_again_when_they_or_the_rows_are_others(
    teachers, toy_split, tmp_path, monkeypatch
):
    split, kept, asked = toy_split(count=9), tmp_path / "backup" / "teachers.npz", []

    def loading(path, **others):
        asked.append(str(path))
        return load_model(path, **others)

    monkeypatch.setattr(distillation, "load_model", loading)
    (one, _), (other, _) = teachers
    first = teacher_probabilities(split, one, kept)
    np.testing.assert_array_equal(teacher_probabilities(split, one, kept), first)
    assert asked == [one]
    assert np.abs(teacher_probabilities(split, other, kept) - first).max() > 1e-3
    np.testing.assert_array_equal(teacher_probabilities(split, one, kept), first)
    assert asked == [one, other, one]
    assert len(teacher_probabilities(toy_split(count=5), one, kept)) == 5
    kept.write_bytes(b"PK half a file")
    np.testing.assert_array_equal(teacher_probabilities(split, one, kept), first)
    assert asked == [one, other, one, one, one]


def test_damaged_predictions_are_computed_again(teachers, toy_split, tmp_path, monkeypatch):
    split, kept, path = toy_split(count=9), tmp_path / "teachers.npz", teachers[0][0]
    expected = teacher_probabilities(split, path, kept)
    computed = np.zeros((2 * 9, 7))
    monkeypatch.setattr(distillation, "load_model", lambda *_, **__: None)
    monkeypatch.setattr(distillation, "logits_per_view", lambda *_: computed.reshape(2, 9, 7))
    equal = np.full((9, 7), 1 / 7)
    intact = kept.read_bytes()
    assert np.array_equal(teacher_probabilities(split, path, kept), expected)
    for mutated in mutations(intact):
        kept.write_bytes(mutated)
        read = teacher_probabilities(split, path, kept)
        assert np.array_equal(read, expected) or np.allclose(read, equal)


def test_targets_are_mixed_with_what_the_teacher_says(teachers, toy_split):
    split, path = toy_split(count=16), teachers[0][0]
    recipe = Recipe(batch_size=16, teacher=path, teacher_weight=0.75, class_weights="balanced")
    _, targets, labels, _, _ = next(iter(training_batches(split, recipe, (48, 48, 1)).epoch(0)))
    plain = Recipe(batch_size=16, class_weights="balanced")
    _, hard, own, _, _ = next(iter(training_batches(split, plain, (48, 48, 1)).epoch(0)))
    weights = np.asarray(hard).sum(axis=1, keepdims=True)
    said = (np.asarray(targets) / weights - 0.25 * np.eye(7)[np.asarray(own)]) / 0.75
    expected = teacher_probabilities(split, path)
    # The order is the epoch's: every row finds its own.
    for row in said:
        assert np.abs(expected - row).max(axis=1).min() < 1e-5
    largest = np.asarray(targets / weights).argmax(axis=1)
    assert (np.asarray(labels) == largest).all()


@pytest.mark.parametrize("accumulate_steps", [1, 2])
def test_teachers_predict_the_augmented_images(teachers, toy_split, accumulate_steps):
    split, files = toy_split(count=16), ",".join(path for path, _ in teachers)
    recipe = Recipe(
        batch_size=16,
        accumulate_steps=accumulate_steps,
        class_weights="balanced",
        shift=0.2,
        teacher=files,
        teacher_weight=0.75,
        teacher_images="augmented",
    )
    batch = next(iter(training_batches(split, recipe, (48, 48, 1)).epoch(0)))
    images, hard, labels, _, _ = (np.asarray(value) for value in batch)
    row_weights = hard.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(hard / row_weights, np.eye(7)[labels], atol=1e-6)
    said = np.mean(
        [softmax(np.asarray(model(images), np.float64)) for _, model in teachers], axis=0
    )
    student = DeepEmotion("paper", dropout=0.0, fc_penalty=0.0)
    log_probabilities = np.log(softmax(np.asarray(student(images), np.float64)))
    expected = -((0.25 * hard + 0.75 * row_weights * said) * log_probabilities).sum()
    step = TrainingStep(
        student, recipe, one_device(), BatchTeachers(files, split.class_names, weight=0.75)
    )
    totals = step(batch, 0.0, np.zeros(step.totals_size))
    assert float(totals[0]) == pytest.approx(expected, rel=1e-4)


def test_a_teacher_of_other_classes_or_none_is_one_line(teachers, toy_split):
    split = dataclasses.replace(toy_split(count=4), class_names=tuple("abcdefg"))
    with pytest.raises(
        UserError, match=r"paper.keras: the model has the classes angry.* and the dataset has a, b"
    ):
        teacher_probabilities(split, teachers[0][0])
    with pytest.raises(
        UserError, match=r"gone.keras: no such file; give a .keras file, or shipped weights: "
    ):
        teacher_probabilities(split, "gone.keras")
    with pytest.raises(UserError, match=r"--teacher gone: no such weights"):
        teacher_probabilities(split, "gone")


def test_a_training_begins_with_the_weights_it_is_given(teachers):
    path, source = teachers[0]
    recipe = Recipe(init_from=path, model_options={"variant": "paper"})
    model = build_model(recipe, (48, 48, 1), NAMES)
    load_initial_weights(model, recipe)
    for own, their in zip(model.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(own, their)


@pytest.mark.parametrize("names", [("calm", "cross", "glad"), tuple(reversed(NAMES))])
def test_other_classes_get_a_new_last_layer(teachers, names):
    path, source = teachers[0]
    recipe = Recipe(init_from=path, model_options={"variant": "paper"})
    model = build_model(recipe, (48, 48, 1), names)
    first = model.get_layer("logits").get_weights()
    load_initial_weights(model, recipe)
    np.testing.assert_array_equal(model.get_layer("logits").get_weights()[0], first[0])
    np.testing.assert_array_equal(
        model.get_layer("dense").get_weights()[0], source.get_layer("dense").get_weights()[0]
    )


def test_weights_of_another_architecture_are_refused(teachers):
    recipe = Recipe(init_from=teachers[1][0], model_options={"variant": "paper"})
    model = build_model(recipe, (48, 48, 1), NAMES)
    before = model.get_weights()
    with pytest.raises(
        UserError,
        match=r"--init_from .*: its layers are not those of this recipe; give the recipe",
    ):
        load_initial_weights(model, recipe)
    for own, their in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, their)


def test_weights_for_other_images_are_refused_with_the_flags_that_fit(teachers):
    recipe = Recipe(init_from=teachers[0][0], model_options={"variant": "paper"})
    with pytest.raises(
        UserError,
        match=r"its input is 48x48x1, and this training uses 64x64x3; add --image_size 48 --channels 1\.$",
    ):
        load_initial_weights(build_model(recipe, (64, 64, 3), NAMES), recipe)
