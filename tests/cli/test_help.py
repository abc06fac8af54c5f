"""The help of every command, and suggestions for unknown flags."""

import subprocess
import sys

import pytest

from ferkit.cli import COMMANDS, main
from tests.support.command_line import ROOT, fails


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)])
def test_help_shows_examples_and_loads_nothing_heavy(words):
    code = (
        "import sys, runpy; sys.argv = ['main.py', *sys.argv[1:]]\n"
        "try: runpy.run_path('main.py', run_name='__main__')\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'pandas', 'cv2', 'matplotlib', 'jinja2'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "python main.py" in done.stdout
    assert "example" in done.stdout or "short form" in done.stdout


def test_the_installed_program_names_itself(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/deep-emotion", "runs"])
    assert "python main.py" not in fails(["runs", "--sort", "nothing"], capsys)
    assert "deep-emotion runs --help" in fails(["runs", "--sort", "nothing"], capsys)
    with pytest.raises(SystemExit):
        main(["runs", "--help"])
    help_text = capsys.readouterr().out
    assert "usage: deep-emotion runs" in help_text
    assert "  deep-emotion runs --sort started" in help_text
    assert "main.py" not in help_text


@pytest.mark.parametrize(
    "words",
    [["--per_class", "0"], ["--per-class", "0"], ["--per_class=0"], ["--per-class=0"]],
)
def test_flags_are_accepted_with_hyphens_and_underscores(words, capsys):
    assert "--per-class 0: out of range" in fails(
        ["explain", "-d", "x", "--split", "val", *words], capsys
    )


def test_recipe_flags_are_accepted_with_hyphens(here, capsys):
    line = fails(["train", "-d", "nowhere", "--learning-rate=-1"], capsys)
    assert "learning_rate" in line
    assert "unrecognized" not in line


def test_no_arguments_show_the_help(capsys):
    assert main([]) == 0
    assert "python main.py -s True -d data" in capsys.readouterr().out


def test_a_flag_of_another_command_is_not_suggested(here, capsys):
    line = fails(["explain", "photo.jpg", "--output", "here"], capsys)
    assert line.strip().endswith(
        "unrecognized arguments: --output here; see: python main.py explain --help."
    )
    assert ", nearest known: --margin; see: python main.py predict" in fails(
        ["predict", "photo.jpg", "--margn", "1"], capsys
    )
