"""A transformer that does nothing is noticed: after training, in the card, by `verify`."""

import numpy as np
import pytest

from deep_emotion import DeepEmotion
from deep_emotion.health import measurements, theta_spread, warnings
from deep_emotion.self_checks import transformer_moves
from ferkit.models.interface import undecayed_variables
from ferkit.models.registry import MODELS
from ferkit.recipes.recipe import Recipe
from ferkit.training.optimizers import build_optimizer


def with_moving_theta(model, gain=1.0):
    """Theta's shift along x is 0.3 * tanh(step * gain * (1 + mean pixel)), pixels in [-1, 1]."""
    for index, inputs in ((1, 49), (2, 200)):
        layer = model.get_layer(f"localization_conv{index}")
        layer.set_weights(
            [np.full(layer.kernel.shape, 1 / inputs), np.full(layer.bias.shape, 2.0 - index)]
        )
    hidden, free = np.zeros(model.get_layer("localization_dense").kernel.shape), np.zeros((32, 6))
    hidden[:, 0], free[0, 2] = gain / len(hidden), 1.0
    model.get_layer("localization_dense").set_weights([hidden, np.zeros(32)])
    model.get_layer("localization_free").set_weights([free, np.zeros(6)])
    return model


@pytest.fixture
def faces(rng):
    return (
        rng.integers(0, 256, (8, 48, 48, 1)).astype("uint8")
        // np.arange(1, 9, dtype="uint8")[:, None, None, None]
    )


@pytest.mark.parametrize("variant", ["paper", "input_warp", "residual"])
def test_an_untrained_transformer_is_reported(variant, faces):
    model = DeepEmotion(variant)
    assert theta_spread(model, faces) == 0.0
    (line,) = warnings(model, faces)
    assert "treats all faces alike" in line
    assert ("--theta_step 1" in line) == (variant == "residual")
    (value,) = measurements(model, faces).values()
    assert value == "0e+00: it treats all faces alike"
    assert "same for all images" in transformer_moves(model)


def test_a_transformer_that_moves_is_measured(faces):
    model = with_moving_theta(DeepEmotion("residual", theta_step=1.0))
    spread = theta_spread(model, faces)
    assert 0.001 < spread < 0.1
    assert warnings(model, faces) == []
    assert list(measurements(model, faces).values()) == [f"{spread:.3f}"]
    assert "standard deviation over 64 random images" in transformer_moves(model)


def test_the_step_bounds_how_fast_theta_moves(faces):
    slow, fast = (
        with_moving_theta(DeepEmotion("residual", theta_step=step), 0.1) for step in (0.1, 1.0)
    )
    fast.set_weights(slow.get_weights())
    ratio = theta_spread(fast, faces) / theta_spread(slow, faces)
    assert 9 < ratio < 10.1  # tanh is nearly linear here
    assert DeepEmotion.from_config(fast.get_config()).theta_step == 1.0
    with pytest.raises(
        ValueError, match=r"Expected `theta_step` to be above 0\. Received: theta_step=0"
    ):
        DeepEmotion("residual", theta_step=0)


def test_files_without_a_step_have_the_earlier_one():
    config = DeepEmotion("residual").get_config()
    del config["theta_step"]
    assert DeepEmotion.from_config(config).get_layer("localization_theta").step == 0.1


@pytest.mark.parametrize(("step", "decays"), [(0.1, True), (1.0, False)])
def test_the_localization_network_is_free_of_weight_decay_where_theta_moves(step, decays):
    model = DeepEmotion("residual", theta_step=step)
    recipe = Recipe(model="deep_emotion", optimizer="sgd", weight_decay=0.1, learning_rate=1.0)
    variables = model.trainable_variables
    optimizer = build_optimizer(recipe, variables, undecayed_variables(model))
    before = {variable.path: variable.numpy() for variable in variables}
    optimizer.apply_gradients([(np.zeros(v.shape, "float32"), v) for v in variables])
    changed = {v.path for v in variables if not np.array_equal(v.numpy(), before[v.path])}
    assert any("localization_conv1" in path for path in changed) == decays
    assert any("block1_conv1" in path for path in changed)


def test_only_deep_emotion_has_a_health_module():
    assert MODELS["dan"].health is None
    assert MODELS["deep_emotion"].health is not None
