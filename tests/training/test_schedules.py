"""Schedules that look at the epochs so far, early stopping, and resuming with all of it at once."""

import os
import signal

import numpy as np
import pytest

from ferkit.errors import UserError
from ferkit.recipes.named import named_recipe
from ferkit.recipes.recipe import Recipe
from ferkit.training.history import epochs_without_better, is_finished, is_stopped_early
from ferkit.training.optimizers import learning_rate, plateaus
from ferkit.training.run_folder import RunFolder
from tests.training.test_trainer import Killed, assert_same_training, stop_after, trainer
from tests.training.test_trainer import toy_split as toy_split

EVERYTHING = named_recipe(
    "deep_emotion",
    "input_warp",
    epochs=4,
    batch_size=24,
    optimizer="sgd",
    learning_rate=0.02,
    schedule="plateau",
    decay_epochs=1.0,
    early_stopping=2,
    ema=0.9,
    clip_norm=1.0,
    accumulate_steps=2,
    weight_decay=0.01,
    label_smoothing=0.1,
    mixup=0.4,
    cutmix=1.0,
    mix_probability=0.7,
    class_weights="balanced",
    rotation=5.0,
    crop=3,
    contrast=0.2,
    erase=0.3,
    precision="bfloat16",
)


def test_plateau_by_hand():
    scores = [1, 2, 2, 2, 3, 3, 1, 1, 1]
    assert [plateaus(scores[:count], 2) for count in range(10)] == [0, 0, 0, 0, 1, 1, 1, 2, 2, 3]
    recipe = Recipe(
        schedule="plateau", learning_rate=0.8, decay=0.5, decay_epochs=2.0, min_learning_rate=0.15
    )
    assert [learning_rate(recipe, 0, 5, scores[:count]) for count in (0, 4, 7, 9)] == [
        0.8,
        0.4,
        0.2,
        0.15,
    ]


def test_smooth_and_lowest_rates_by_hand():
    smooth = Recipe(schedule="exponential", learning_rate=0.8, decay=0.25, decay_epochs=4.0)
    assert learning_rate(smooth, 10, 5) == pytest.approx(0.8 * 0.25**0.5)
    lowest = Recipe(schedule="cosine", learning_rate=0.8, min_learning_rate=0.2, epochs=10)
    assert [learning_rate(lowest, step, 5) for step in (0, 25, 50)] == pytest.approx(
        [0.8, 0.5, 0.2]
    )


def test_epochs_without_a_better_one():
    assert [epochs_without_better(scores) for scores in ([], [5], [5, 5], [1, 5, 3, 5, 2])] == [
        0,
        0,
        1,
        3,
    ]
    history = [{"val_accuracy": value, "val_loss": "1"} for value in ("0.5", "0.4", "0.4")]
    early = Recipe(early_stopping=2, epochs=10)
    assert [is_stopped_early(early, history[:count]) for count in range(4)] == [
        False,
        False,
        False,
        True,
    ]
    assert not is_stopped_early(Recipe(epochs=10), history)
    assert is_finished(early, 3, 0, history)
    assert not is_finished(early, 2, 5, history[:2])


@pytest.fixture
def straight(tmp_path, toy_split):
    whole = trainer(tmp_path / "straight", toy_split, EVERYTHING)
    assert whole.fit()
    return (tmp_path / "straight" / "history.csv").read_text(), whole.model.get_weights()


@pytest.mark.parametrize("steps", [2, 7])
@pytest.mark.parametrize("death", ["signal", "kill"])
def test_everything_at_once_resumes_to_the_last_bit(steps, death, tmp_path, toy_split, straight):
    path = tmp_path / "stopped"
    first = trainer(path, toy_split, EVERYTHING)
    first.checkpoint_seconds = 0
    if death == "signal":
        stop_after(first, steps, lambda: os.kill(os.getpid(), signal.SIGTERM))
        assert not first.fit()
    else:
        stop_after(first, steps, lambda: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            first.fit()
    second = trainer(path, toy_split, EVERYTHING)
    assert second.fit()
    assert_same_training(path, second, straight)
    states = [RunFolder(tmp_path / name).checkpoints.load()[1] for name in ("straight", "stopped")]
    for name, expected in states[0].items():
        np.testing.assert_array_equal(states[1][name], expected, err_msg=name)


def test_the_averaged_weights_are_measured_and_kept(tmp_path, toy_split):
    from ferkit.models.saved_model import load_model

    path = tmp_path / "averaged"
    trained = trainer(path, toy_split, EVERYTHING.replace(precision="float32"))
    trained.fit()
    kept = load_model(path / "last.keras").get_weights()
    own = trained.model.get_weights()
    with trained.step_function.averaged.swapped_in():
        averaged = trained.model.get_weights()
    assert not np.allclose(kept[0], own[0])
    for received, expected in zip(kept, averaged, strict=True):
        np.testing.assert_array_equal(received, expected)


def test_early_stopping_ends_a_run_and_a_longer_patience_goes_on(tmp_path, toy_split, capsys):
    path, frozen = (
        tmp_path / "early",
        EVERYTHING.replace(learning_rate=1e-9, epochs=9, variant="paper", dropout=0.0),
    )
    assert trainer(path, toy_split, frozen).fit()
    assert len(RunFolder(path).history()) == 3
    assert (
        "Stopped early: no better epoch since epoch 1 (--early_stopping 2)."
        in capsys.readouterr().out
    )
    rates = [row["learning_rate"] for row in RunFolder(path).history()]
    assert rates == ["1e-09", "1e-09", "5e-10"]
    assert trainer(path, toy_split, frozen).fit()
    assert len(RunFolder(path).history()) == 3
    assert trainer(path, toy_split, frozen.replace(early_stopping=3)).fit()
    assert len(RunFolder(path).history()) == 4


@pytest.mark.parametrize("error", [MemoryError, "resource"])
def test_out_of_memory_suggests_parts_of_a_batch(error, tmp_path, toy_split):
    import tensorflow as tf

    kind = (
        MemoryError()
        if error is MemoryError
        else tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")
    )
    first = trainer(tmp_path / "full", toy_split)
    stop_after(first, 1, lambda: (_ for _ in ()).throw(kind))
    with pytest.raises(
        UserError,
        match=r"out of memory with --batch_size 32; .* Try --accumulate_steps 2: .* 16 images at a time",
    ):
        first.fit()
