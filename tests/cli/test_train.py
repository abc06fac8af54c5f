"""Training from the command line."""

import json
import os

import pytest

from ferkit.cli import main
from tests.support.command_line import QUICK, fails


def test_a_run_folder_holds_what_a_number_needs(here):
    record = json.loads((here / "runs/first/recipe.json").read_text())
    assert record["recipe"]["model_options"]["variant"] == "input_warp"
    assert record["recipe"]["seed"] == 0
    assert record["dataset"]["rows"]["train"] > 300
    assert len(record["dataset"]["rows_sha256"]) == 64
    assert set(record["made_with"]) >= {"command", "commit", "packages", "python"}
    names = (
        "best.keras",
        "last.keras",
        "history.csv",
        "backup/state-000002-00000000.npz",
        "report/index.html",
    )
    for name in (*names, "report/curves.png"):
        assert (here / "runs/first" / name).stat().st_size > 100


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--learning_rate", "0"], "--learning_rate 0.0: out of range"),
        (["--batch_size", "0"], "--batch_size 0: out of range"),
        (["--batch_size", "5000"], "larger than the dataset's 336 train rows; give at most 336"),
        (["--epochs", "five"], "argument -e/--epochs: invalid int value: 'five'"),
        (
            ["--recipe", "best-ever"],
            "--recipe best-ever: model deep_emotion has no such recipe; it has: paper, input_warp",
        ),
        (["--dropout", "1.5"], "Expected `dropout` to be in [0, 1). Received: dropout=1.5"),
        (["--wings", "2"], "unrecognized arguments: --wings 2"),
        (
            ["--learing_rate", "2"],
            "unrecognized arguments: --learing_rate 2, nearest known: --learning_rate; see",
        ),
        (
            ["--optimizer", "adamw"],
            "--optimizer adamw: adam with --weight_decay, which is 0; give one",
        ),
        (
            ["--weight_decay", "0.1", "--l2", "0.1"],
            "--weight_decay 0.1 and --l2 0.1: two kinds of weight decay",
        ),
        (
            ["--vote_weight", "1"],
            "--vote_weight: the dataset has no FER+ votes; run setup again with --ferplus",
        ),
        (["--devices", "2"], "--devices 2: requires --strategy mirrored; add it"),
        (
            ["--strategy", "multiworker"],
            "TF_CONFIG: not set; --strategy multiworker requires it on every machine",
        ),
        (["--checkpoint_seconds", "-1"], "expected seconds, 0 or more, received '-1'"),
        (
            ["--accumulate_steps", "200"],
            "--batch_size 128: fewer than one image for each of 1 devices in 200 parts; give at "
            "least 200",
        ),
        (["-m", "vgg"], "invalid choice: 'vgg'"),
    ],
)
def test_wrong_training_values_are_one_line(words, message, here, capsys):
    assert message in fails(["train", "-d", "data", *words], capsys)


def test_training_without_a_dataset_says_how_to_get_one(here, capsys, tmp_path):
    assert "main.py setup -d" in fails(["-t", "True", "-d", str(tmp_path)], capsys)


def test_a_folder_that_cannot_be_written_is_one_line(here, capsys, monkeypatch):
    def refuse(source, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ferkit.files.os.replace", refuse)
    message = fails(["train", "-d", "data", "--run", "runs/refused", *QUICK], capsys)
    assert "runs/refused/recipe.json: no permission to write; choose another" in message


def test_a_full_disk_in_training_is_one_line_and_loses_nothing(here, capsys, monkeypatch):
    real = os.replace

    def fill(source, target):
        if "state-" in str(target):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr("ferkit.files.os.replace", fill)
    message = fails(["train", "-d", "data", "--run", "runs/full", *QUICK], capsys)
    assert "state-000001-00000000.npz: no space left on the disk" in message
    monkeypatch.undo()
    os.chdir(here)
    assert main(["train", "--resume", "-d", "data", "--run", "runs/full"]) == 0
