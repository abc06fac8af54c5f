"""Datasets, runs and models of version 0.1 load, resume and predict as they did."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from ferkit.cli import main
from ferkit.models.saved_model import load_model
from ferkit.models.shipped_weights import shipped_weights
from ferkit.recipes.recipe import Recipe

FILES = Path(__file__).resolve().parents[1] / "golden" / "version_0_1"
EXPECTED = json.loads((FILES / "logits.json").read_text())


@pytest.fixture
def copies(tmp_path):
    for name in ("dataset", "run"):
        shutil.copytree(FILES / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("name", list(EXPECTED["logits"]))
def test_a_saved_model_gives_the_same_logits(name):
    (folder,) = (FILES / "dataset").glob("images-*")
    images = [cv2.imread(str(folder / image), cv2.IMREAD_GRAYSCALE) for image in EXPECTED["images"]]
    model = load_model(FILES / "run" / "best.keras" if name == "run" else shipped_weights()[name])
    logits = np.asarray(model(np.stack(images)[..., None].astype("float32"), training=False))
    np.testing.assert_allclose(logits, EXPECTED["logits"][name], atol=2e-4)


def test_a_run_resumes_with_the_same_history(copies, capsys):
    words = ["train", "-d", str(copies / "dataset"), "--run", str(copies / "run"), "--resume"]
    assert main([*words, "--epochs", "4"]) == 0
    assert "Epochs: 4 instead of the 2" in capsys.readouterr().out
    with (
        open(copies / "run" / "history.csv", newline="") as resumed,
        open(FILES / "history-after-4.csv", newline="") as golden,
    ):
        for row, expected in zip(csv.DictReader(resumed), csv.DictReader(golden), strict=True):
            for name in set(expected) - {"images_per_second"}:
                np.testing.assert_allclose(float(row[name]), float(expected[name]), rtol=1e-4)


def test_renamed_fields_are_read_and_flags_accepted(copies, capsys):
    recipe = Recipe.from_dict(json.loads((copies / "run" / "recipe.json").read_text())["recipe"])
    assert (recipe.affine_probability, recipe.zoom_out, recipe.erase_max_area) == (0.7, 0.1, 0.2)
    words = ["train", "-d", str(copies / "dataset"), "--run", str(copies / "run"), "--resume"]
    assert main([*words, "--warp_share", "0.7", "--erase_most", "0.2"]) == 0
    assert "2 epochs, batch size 16" in capsys.readouterr().out


def test_a_dataset_is_read_and_measured(copies, capsys):
    model = str(copies / "run" / "best.keras")
    assert main(["evaluate", "-d", str(copies / "dataset"), "--checkpoint", model]) == 0
    assert "7 images" in capsys.readouterr().out
