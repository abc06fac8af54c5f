"""DAN in the project's trainer.

It repeats itself to the last bit through an interruption, centers included.
"""

import os
import signal

import numpy as np
import pytest

from dan_tf import DAN
from ferkit.recipes.named import named_recipe
from ferkit.training.build_model import seed_everything
from ferkit.training.run_folder import RunFolder
from ferkit.training.trainer import Trainer
from tests.training.test_trainer import same_but_for_speed, stop_after

RECIPE = named_recipe(
    "dan",
    "fer2013",
    stem_stride=4,
    num_heads=2,
    drop_path=0.3,
    center_weight=0.1,
    epochs=2,
    batch_size=32,
    l2=1e-4,
    weight_decay=0.0,
    optimizer="adam",
)


@pytest.fixture(scope="module")
def cache():
    return {}


@pytest.fixture
def trainer(toy_split, cache):
    def make(path):
        for name, count in (("train", 80), ("val", 35)):
            cache.setdefault(name, toy_split(name, count))
        seed_everything(0)
        run = (
            RunFolder(path)
            if (path / "recipe.json").exists()
            else RunFolder.create(path, RECIPE, {})
        )
        model = DAN(image_size=48, channels=1, **RECIPE.model_options)
        return Trainer(model, RECIPE, cache["train"], cache["val"], run)

    return make


@pytest.mark.slow
def test_a_stopped_training_goes_on_to_the_last_bit(tmp_path, trainer):
    straight = trainer(tmp_path / "straight")
    assert straight.fit()
    stopped = trainer(tmp_path / "stopped")
    stop_after(
        stopped, 4, lambda: os.kill(os.getpid(), signal.SIGTERM)
    )  # in the second epoch of three steps
    assert not stopped.fit()
    resumed = trainer(tmp_path / "stopped")
    assert resumed.fit()
    histories = [(tmp_path / name / "history.csv").read_text() for name in ("straight", "stopped")]
    assert same_but_for_speed(*histories)
    for received, expected in zip(
        resumed.step_function.variables, straight.step_function.variables, strict=True
    ):
        np.testing.assert_array_equal(received.numpy(), expected.numpy(), err_msg=expected.path)
    columns = histories[0].splitlines()[0].split(",")
    assert [name for name in columns if name.startswith("loss_")] == [
        "loss_affinity",
        "loss_center",
        "loss_partition",
    ]
