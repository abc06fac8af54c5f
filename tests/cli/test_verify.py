"""Checking the installation and models from the command line."""

import numpy as np

from deep_emotion import DeepEmotion
from ferkit.cli import main


def test_verify_passes_on_new_models_and_on_a_trained_one(here, capsys):
    assert main(["verify"]) == 0
    assert main(["verify", "--run", "runs/first"]) == 0
    shown = capsys.readouterr().out
    assert "FAIL" not in shown
    assert shown.count("The gradient of the loss reaches every weight: all") == 9


def test_verify_fails_on_a_model_that_is_broken(here, capsys):
    model = DeepEmotion("input_warp")
    kernel = model.get_layer("dense").kernel
    kernel.assign(np.zeros(kernel.shape))
    bias = model.get_layer("dense").bias
    bias.assign(np.full(bias.shape, -1e9))  # every ReLU after it gives 0
    model.save("dead.keras")
    assert main(["verify", "--checkpoint", "dead.keras"]) == 1
    assert (
        "FAIL  The gradient of the loss reaches every weight: no gradient to"
        in capsys.readouterr().out
    )
