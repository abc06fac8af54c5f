"""Recipes: validated on creation, saved and read back, the user's values over the package's."""

import dataclasses
import json

import pytest

from ferkit.errors import UserError
from ferkit.models.registry import MODELS
from ferkit.recipes.named import named_recipe
from ferkit.recipes.recipe import Recipe
from ferkit.training.optimizers import learning_rate


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": 0.0}, "--learning_rate 0.0: out of range; give a number greater than 0"),
        ({"learning_rate": float("nan")}, "--learning_rate nan: out of range"),
        ({"learning_rate": -1.0}, "--learning_rate -1.0: out of range"),
        ({"batch_size": 0}, "--batch_size 0: out of range; give a number at least 1"),
        ({"epochs": 0}, "--epochs 0: out of range; give a number at least 1"),
        (
            {"label_smoothing": 1.0},
            "--label_smoothing 1.0: out of range; give a number at least 0 and at most 0.9",
        ),
        (
            {"optimizer": "lion"},
            "--optimizer lion: not a choice; choose from adam, adamw, sgd, momentum",
        ),
        ({"batch_size": "many"}, "--batch_size 'many': expected int"),
        ({"flip": 1}, "--flip 1: expected bool"),
        ({"model": "vgg"}, "--model vgg: unknown model; known: deep_emotion"),
        (
            {"model_options": {"heads": 4}},
            "--heads: not an option of model deep_emotion; it has: variant",
        ),
        (
            {"model_options": {"variant": "huge"}},
            "--variant huge: not a choice; choose from paper, input_warp",
        ),
    ],
)
def test_a_wrong_value_names_the_flag_the_value_and_the_range(values, message):
    with pytest.raises(UserError) as caught:
        Recipe(**values)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", MODELS)
def test_every_shipped_recipe_is_valid_and_survives_json(model):
    for name in MODELS[model].recipes.RECIPES:
        recipe = named_recipe(model, name)
        assert Recipe.from_dict(json.loads(recipe.to_json())) == recipe


def test_the_paper_recipe_is_the_papers():
    recipe = named_recipe("deep_emotion")
    assert (recipe.name, recipe.epochs, recipe.learning_rate, recipe.optimizer) == (
        "paper",
        500,
        0.005,
        "adam",
    )
    assert (recipe.batch_size, recipe.sampling, recipe.flip) == (128, "oversample", True)


def test_the_users_values_go_over_the_recipes():
    recipe = named_recipe("deep_emotion", "input_warp", epochs=3, dropout=0.1)
    assert (recipe.epochs, recipe.batch_size) == (3, 128)
    assert recipe.model_options["dropout"] == 0.1
    assert recipe.model_options["variant"] == "input_warp"
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.epochs = 4


def test_unknown_recipe_and_unknown_field_are_named():
    with pytest.raises(
        UserError,
        match="--recipe fast: model deep_emotion has no such recipe; it has: paper, input_warp",
    ):
        named_recipe("deep_emotion", "fast")
    with pytest.raises(
        UserError,
        match="unknown field 'learnig_rate', nearest known: learning_rate; mend or remove it",
    ):
        Recipe.from_dict({"model": "deep_emotion", "learnig_rate": 0.5})
    with pytest.raises(
        UserError,
        match="--num_head: not an option of model dan, nearest known: num_heads; it has: ",
    ):
        Recipe(model="dan", model_options={"num_head": 2})


def test_learning_rate_schedules_by_hand():
    constant = Recipe(learning_rate=0.1, epochs=10)
    assert learning_rate(constant, 0, 5) == learning_rate(constant, 49, 5) == 0.1
    cosine = dataclasses.replace(constant, schedule="cosine")
    assert [learning_rate(cosine, step, 5) for step in (0, 25, 50)] == pytest.approx(
        [0.1, 0.05, 0.0]
    )
    decayed = dataclasses.replace(constant, schedule="step", decay=0.5, decay_epochs=1.0)
    assert [learning_rate(decayed, step, 5) for step in (0, 4, 5, 14)] == pytest.approx(
        [0.1, 0.1, 0.05, 0.025]
    )
    warm = dataclasses.replace(constant, warmup_epochs=2.0)
    assert [learning_rate(warm, step, 5) for step in (0, 4, 9, 10)] == pytest.approx(
        [0.01, 0.05, 0.1, 0.1]
    )
