"""The trainer.

Learns, repeats itself exactly, and goes on after any kind of stop as if nothing had happened.
"""

import os
import signal

import numpy as np
import pytest

from deep_emotion import DeepEmotion
from ferkit.errors import UserError
from ferkit.evaluation.evaluate import split_logits
from ferkit.evaluation.metrics import measure
from ferkit.models.saved_model import load_model
from ferkit.recipes.named import named_recipe
from ferkit.training.build_model import seed_everything
from ferkit.training.health_checks import HealthChecks
from ferkit.training.progress_bar import duration
from ferkit.training.run_folder import RunFolder
from ferkit.training.trainer import Trainer

RECIPE = named_recipe(
    "deep_emotion",
    "input_warp",
    epochs=3,
    batch_size=32,
    learning_rate=0.003,
    rotation=5.0,
    erase=0.2,
    sampling="oversample",
)


class Killed(BaseException):
    """In place of kill -9: nothing catches it."""


def trainer(path, toy_split, recipe=RECIPE):
    seed_everything(recipe.seed)
    run = RunFolder(path) if (path / "recipe.json").exists() else RunFolder.create(path, recipe, {})
    return Trainer(
        DeepEmotion(**recipe.model_options),
        recipe,
        toy_split("train", 100),
        toy_split("val", 42),
        run,
    )


@pytest.fixture
def toy_split(toy_split):
    """The same rows at every call, however many were made before."""
    cache = {}
    return lambda name, count: cache.setdefault((name, count), toy_split(name, count))


@pytest.fixture
def straight(tmp_path, toy_split):
    """A training that nothing interrupted: (history text, weights)."""
    whole = trainer(tmp_path / "straight", toy_split)
    assert whole.fit()
    return (tmp_path / "straight" / "history.csv").read_text(), whole.model.get_weights()


def same_but_for_speed(history, other):
    return [line.rsplit(",", 1)[0] for line in history.splitlines()] == [
        line.rsplit(",", 1)[0] for line in other.splitlines()
    ]


def assert_same_training(path, trained, straight):
    assert same_but_for_speed((path / "history.csv").read_text(), straight[0])
    for received, expected in zip(trained.model.get_weights(), straight[1], strict=True):
        np.testing.assert_array_equal(received, expected)


def stop_after(trainer, steps, action):
    """Run `action` after that number of steps."""
    real, count = trainer.step_function._step, iter(range(1, 10**6))

    def step(*batch):
        result = real(*batch)
        if next(count) == steps:
            action()
        return result

    trainer.step_function._step = step


def test_it_learns_and_leaves_a_whole_run_folder(tmp_path, toy_split):
    recipe = RECIPE.replace(epochs=12, rotation=0.0, erase=0.0, flip=False, dropout=0.0)
    learning = trainer(tmp_path / "run", toy_split, recipe)
    assert learning.fit()
    rows = RunFolder(tmp_path / "run").history()
    assert [int(row["epoch"]) for row in rows] == list(range(1, 13))
    assert float(rows[-1]["loss"]) < 0.5 * float(rows[0]["loss"])
    assert max(float(row["val_accuracy"]) for row in rows) > 0.8
    present = {
        str(path.relative_to(tmp_path / "run"))
        for path in (tmp_path / "run").rglob("*")
        if path.is_file()
    }
    states = {"backup/state-000011-00000000.npz", "backup/state-000012-00000000.npz"}
    states.add("backup/trained_on.json")
    assert present == {"recipe.json", "history.csv", "best.keras", "last.keras", *states}


def test_branches_train_resume_and_leave_the_papers_net(tmp_path, toy_split):
    """The curve of a stopped training goes on as if nothing had happened, and what is kept answers
    as the last epoch says.
    """
    recipe = named_recipe(
        "deep_emotion",
        "paper",
        epochs=2,
        batch_size=32,
        branches=2,
        sampling="shuffle",
        learning_rate=0.003,
    )
    whole = trainer(tmp_path / "whole", toy_split, recipe)
    assert whole.fit()
    begun = trainer(tmp_path / "stopped", toy_split, recipe)
    stop_after(begun, 3, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert not begun.fit()
    resumed = trainer(tmp_path / "stopped", toy_split, recipe)
    assert resumed.fit()
    assert_same_training(
        tmp_path / "stopped",
        resumed,
        ((tmp_path / "whole" / "history.csv").read_text(), whole.model.get_weights()),
    )
    kept, val = load_model(tmp_path / "whole" / "last.keras"), toy_split("val", 42)
    assert (kept.count_params(), kept.branches, whole.model.count_params()) == (47_657, 0, 109_819)
    figures = measure(split_logits(kept, val), val)
    assert figures["accuracy"] == pytest.approx(
        float(whole.run.history()[-1]["val_accuracy"]), abs=1e-5
    )


def test_the_same_seed_gives_the_same_numbers(tmp_path, toy_split, straight):
    again = trainer(tmp_path / "again", toy_split)
    again.fit()
    assert_same_training(tmp_path / "again", again, straight)


@pytest.mark.parametrize("steps", [1, 4, 7])  # of 12: in the middle of an epoch, and at its end
def test_ctrl_c_and_resume_give_the_same_curve(steps, tmp_path, toy_split, straight):
    path = tmp_path / "stopped"
    first = trainer(path, toy_split)
    stop_after(first, steps, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert not first.fit()
    second = trainer(path, toy_split)
    assert second.fit()
    assert_same_training(path, second, straight)


def test_a_crash_and_resume_give_the_same_curve(tmp_path, toy_split, straight):
    """As after kill -9.

    Nothing is written at the moment of death, so the last epoch's backup counts.
    """
    path = tmp_path / "crashed"
    first = trainer(path, toy_split)

    def die():
        raise Killed

    stop_after(first, 7, die)
    with pytest.raises(Killed):
        first.fit()
    second = trainer(path, toy_split)
    assert second.fit()
    assert_same_training(path, second, straight)


def test_a_backup_is_made_in_the_middle_of_long_epochs(tmp_path, toy_split, straight):
    path = tmp_path / "long"
    first = trainer(path, toy_split)
    first.checkpoint_seconds = 0
    stop_after(first, 3, lambda: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        first.fit()
    position, _ = RunFolder(path).checkpoints.load()
    assert (position["epoch"], position["step"]) == (0, 2)
    second = trainer(path, toy_split)
    second.fit()
    assert_same_training(path, second, straight)


def test_resuming_a_finished_run_changes_nothing(tmp_path, toy_split, straight):
    path = tmp_path / "straight"
    before = (path / "best.keras").read_bytes()
    again = trainer(path, toy_split)
    assert again.fit()
    assert (path / "best.keras").read_bytes() == before
    assert_same_training(path, again, straight)


@pytest.mark.parametrize(
    "damage", [lambda b: b[:1000], lambda b: b[:5000] + b"x" * 9 + b[5009:], lambda b: b""]
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_says_so(
    damage, tmp_path, toy_split, straight, capsys
):
    path = tmp_path / "straight"
    newest = RunFolder(path).checkpoints.files()[0]
    newest.write_bytes(damage(newest.read_bytes()))
    again = trainer(path, toy_split)
    assert again.fit()
    assert f"{newest}: damaged" in capsys.readouterr().out
    assert_same_training(path, again, straight)


def test_without_any_whole_checkpoint_it_says_so(tmp_path, toy_split):
    path = tmp_path / "damaged"
    trainer(path, toy_split, RECIPE.replace(epochs=2)).fit()
    for file in RunFolder(path).checkpoints.files():
        file.write_bytes(b"")
    with pytest.raises(
        UserError,
        match=r"state-000002-00000000.npz: damaged, like every other checkpoint, so the run cannot be resumed; start a new run",
    ):
        trainer(path, toy_split, RECIPE.replace(epochs=2)).fit()


def test_a_backup_of_another_network_is_refused(tmp_path, toy_split):
    path = tmp_path / "other"
    trainer(path, toy_split, RECIPE.replace(epochs=1)).fit()
    with pytest.raises(UserError, match="its weights are not those of this model and optimizer"):
        trainer(path, toy_split, RECIPE.replace(variant="paper")).fit()


@pytest.mark.parametrize(
    "layer", ["logits", "conv1"]
)  # behind conv1 a ReLU hides the NaN from the loss
def test_what_is_no_number_stops_with_advice_and_keeps_what_was_saved(layer, tmp_path, toy_split):
    path = tmp_path / "nan"
    trainer(path, toy_split, RECIPE.replace(epochs=1)).fit()
    saved = (path / "best.keras").read_bytes()
    broken = trainer(path, toy_split, RECIPE.replace(epochs=2))
    broken._restore()
    broken._restore = lambda: None
    kernel = broken.model.get_layer(layer).kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.raises(
        UserError,
        match=r"became NaN.* in epoch 2.*the last good checkpoint remains in .*\(this run: 0.003",
    ):
        broken.fit()
    assert (path / "best.keras").read_bytes() == saved
    position, arrays = RunFolder(path).checkpoints.load()
    assert position["epoch"] == 1
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_the_watch_speaks_on_collapse_once_and_on_recovery():
    watch = HealthChecks(RECIPE, ("angry", "happy"))
    collapsed, fine = np.array([[0, 50], [1, 50]]), np.array([[30, 20], [10, 41]])
    assert watch.after_epoch(0, fine) == []
    assert watch.after_epoch(1, collapsed) == []  # one epoch may be chance
    said = watch.after_epoch(2, collapsed)
    assert "'happy' for 99%" in said[0]
    assert "--learning_rate 0.0006" in said[1]
    assert watch.after_epoch(3, collapsed) == []
    assert watch.after_epoch(4, fine) == ["The model predicts more than one class again."]


def test_a_dataset_of_one_class_is_no_collapse():
    watch = HealthChecks(RECIPE, ("angry", "happy"))
    assert [watch.after_epoch(epoch, np.array([[0, 0], [0, 9]])) for epoch in range(3)] == [
        [],
        [],
        [],
    ]


def test_a_run_folder_is_never_overwritten(tmp_path, toy_split):
    RunFolder.create(tmp_path / "run", RECIPE, {})
    with pytest.raises(UserError, match="already contains a run; add --resume"):
        RunFolder.create(tmp_path / "run", RECIPE, {})
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_text("")
    with pytest.raises(UserError, match="exists and is not a run folder"):
        RunFolder.create(tmp_path / "photos", RECIPE, {})


def test_a_run_is_not_resumed_with_other_teachers(tmp_path, toy_split):
    DeepEmotion().save(tmp_path / "teacher.keras")
    recipe = RECIPE.replace(teacher=str(tmp_path / "teacher.keras"))
    trainer(tmp_path / "run", toy_split, recipe)
    started = (tmp_path / "run" / "recipe.json").read_bytes()
    trainer(tmp_path / "run", toy_split, recipe)
    DeepEmotion("input_warp").save(tmp_path / "teacher.keras")
    with pytest.raises(UserError, match="is another file than when the run was started"):
        trainer(tmp_path / "run", toy_split, recipe)
    assert (tmp_path / "run" / "recipe.json").read_bytes() == started


@pytest.mark.parametrize(
    ("seconds", "words"), [(8, "8 s"), (89, "89 s"), (100, "2 min"), (4000, "1 h 7 min")]
)
def test_durations_read_well(seconds, words):
    assert duration(seconds) == words
