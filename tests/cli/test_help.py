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
