"""A third model package needs one entry in the registry; every command then works with it."""

import json
from pathlib import Path

import pytest

from ferkit.cli import main
from ferkit.models.interface import ModelPackage
from ferkit.models.registry import MODELS

PACKAGES = Path(__file__).parent / "packages"


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(PACKAGES)
    monkeypatch.setitem(MODELS, "tiny", ModelPackage("tiny", "tiny_model", "TinyModel"))
    monkeypatch.chdir(tmp_path)


def test_a_new_model_trains_and_is_measured_explained_released_and_verified(tiny, capsys):
    run = ["--run", "runs/tiny"]
    assert main(["setup", "--sample", "--sample-count", "210", "-d", "data"]) == 0
    assert main(["train", "-d", "data", "-m", "tiny", "--bias", "False", *run]) == 0
    recipe = json.loads(Path("runs/tiny/recipe.json").read_text())["recipe"]
    assert recipe["model_options"] == {"bias": False}
    assert main(["evaluate", "-d", "data", *run, "--json", "val.json", "--report", "page"]) == 0
    figures = json.loads(Path("val.json").read_text())
    assert figures["accuracy"] > 2 / 7
    faces = sorted(str(path) for path in Path("data").rglob("*.png"))[:3]
    assert main(["explain", *faces, "--detector", "none", *run, "--to", "why"]) == 0
    assert main(["predict", *faces, "--detector", "none", *run]) == 0
    assert main(["release", "-d", "data", *run, "--name", "tiny-sample"]) == 0
    capsys.readouterr()
    assert main(["verify", "--weights", "released/tiny-sample.keras"]) == 0
    assert "A white image has finite logits" in capsys.readouterr().out
