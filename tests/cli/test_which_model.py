"""The one rule by which every command finds its model file."""

import os
import subprocess
import sys

import pytest

from ferkit.cli import main
from ferkit.cli.which_model import ModelChoice, resolve
from ferkit.errors import UserError
from ferkit.models.shipped_weights import shipped_weights
from tests.support.command_line import ROOT, fails


def choice(**given):
    return ModelChoice(**{"model": None, "run": None, "weights": None, "checkpoint": None, **given})


def test_a_run_is_found_without_tensorflow():
    """TensorFlow must first be imported by import_tensorflow, which sets up its threads."""
    code = "import sys; from ferkit.training import devices, resume, run_folder\n"
    code += "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_weights_are_shipped_ones_by_name_or_any_file(here, tmp_path):
    (tmp_path / "mine").write_bytes(b"")
    for default in ("shipped weights", "newest run"):
        for flag in ("weights", "checkpoint"):
            by_name = resolve(choice(**{flag: "dan-fer2013"}), default)
            assert by_name == shipped_weights()["dan-fer2013"]
            for file in ("runs/first/best.keras", str(tmp_path / "mine")):
                assert str(resolve(choice(**{flag: file}), default)) == file


def test_a_run_means_its_best_epoch(here):
    for default in ("shipped weights", "newest run"):
        assert str(resolve(choice(run="runs/first"), default)) == "runs/first/best.keras"


def test_the_default_is_shipped_weights_or_the_newest_run(here, tmp_path, monkeypatch):
    assert resolve(choice(), "shipped weights") == shipped_weights()["deep_emotion-fer2013"]
    assert resolve(choice(model="dan"), "shipped weights") == shipped_weights()["dan-fer2013"]
    os.utime("runs/first")
    newest = resolve(choice(model="deep_emotion"), "newest run")
    assert newest.parent.parent.name == "runs"
    assert newest == resolve(choice(), "newest run")
    monkeypatch.setattr("ferkit.cli.which_model.default_weights", lambda model: None)
    assert resolve(choice(), "shipped weights") == newest
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^runs: contains no run; train one first"):
        resolve(choice(), "newest run")
    with pytest.raises(UserError, match=r"^runs: contains no run of model dan; train one first"):
        resolve(choice(model="dan"), "newest run")


@pytest.mark.parametrize("command", [["evaluate", "-d", "data"], ["verify"]])
def test_weights_take_a_file_in_commands_that_used_to_refuse_it(command, here):
    assert main([*command, "--weights", "runs/first/best.keras"]) == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weights": "none.keras"}, "--weights none.keras: no such file; give a .keras file"),
        ({"checkpoint": "a/none"}, "--checkpoint a/none: no such file; give a .keras file"),
        (
            {"weights": "dan-fer2014"},
            "--weights dan-fer2014: no such weights, nearest known: dan-fer2013; give a .keras "
            "file, or shipped weights: deep_emotion-fer2013, ",
        ),
        ({"run": "nowhere"}, "nowhere: contains no run (no recipe.json)"),
        (
            {"run": "runs/first", "weights": "dan-fer2013"},
            "--weights and --run: each names a model; give only one of them.",
        ),
        (
            {"weights": "dan-fer2013", "checkpoint": "best.keras"},
            "--weights and --checkpoint: each names a model; give only one of them.",
        ),
    ],
)
def test_what_cannot_be_resolved_is_one_line(given, message, here, capsys):
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    for command in (["evaluate", "-d", "data"], ["verify"], ["predict", "photo.jpg"]):
        assert message in fails([*command, *words], capsys)


def test_a_run_without_a_finished_epoch_says_how_to_resume_it(here, capsys):
    started = here / "runs/started"
    started.mkdir()
    (started / "recipe.json").write_bytes((here / "runs/first/recipe.json").read_bytes())
    os.utime(started / "recipe.json", (0, 0))  # the newest run stays another one
    assert (
        "runs/started: no best.keras yet because its first epoch is not finished; resume it with: "
        "python main.py train --resume --run runs/started"
        in fails(["evaluate", "-d", "data", "--run", "runs/started"], capsys)
    )
