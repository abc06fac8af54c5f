"""Runs the command line in tests: a small dataset with a finished run, and errors in one line."""

import os
from pathlib import Path

import pytest

from ferkit.cli import main

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["--recipe", "input_warp", "--epochs", "2", "--batch_size", "64"]
QUICK += ["--learning_rate", "0.002"]


def workplace_in(folder: Path, *commands: list[str]) -> Path:
    """Set up a dataset in data/, train runs/first and run further commands; returns the folder."""
    setup = ["setup", "--sample", "--sample-count", "420", "-d", "data"]
    before = os.getcwd()
    os.chdir(folder)
    try:
        for command in (setup, ["train", "-d", "data", "--run", "runs/first", *QUICK], *commands):
            assert main(command) == 0
    finally:
        os.chdir(before)
    return folder


def fails(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a user error."""
    assert main(arguments) == 2
    captured = capsys.readouterr().err
    lines = [line for line in captured.split("\r")[-1].splitlines() if line.strip()]
    assert "Traceback" not in captured
    assert lines[0].lstrip().startswith("error: ")
    return " ".join(lines)
