"""The light install: prediction works without the extras, and other commands name theirs."""

import json
import subprocess
import sys

import pytest

from ferkit.demo.steps import ASTRONAUT
from tests.support.command_line import ROOT

# A process in which the packages of the extras are not installed.
PROGRAM = """
import sys
from ferkit.cli.extras import EXTRAS

class WithoutExtras:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            return None
        return self.finder.find_spec(name, path, target)

sys.meta_path[:] = [WithoutExtras(finder) for finder in sys.meta_path]
from ferkit.cli import main
code = main(sys.argv[1:])
assert not set(EXTRAS) & set(sys.modules), set(EXTRAS) & set(sys.modules)
sys.exit(code)
"""


def run(*words, folder=ROOT):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )


@pytest.mark.parametrize("weights", ["deep_emotion-fer2013", "dan-fer2013"])
def test_prediction_needs_no_extra(tmp_path, weights):
    words = ["predict", ASTRONAUT, "--weights", weights, "--json", "faces.json"]
    done = run(*words, "--annotate", "marked", "--tta", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (face,) = json.loads((tmp_path / "faces.json").read_text())
    assert face["label"] == "happy"
    assert len(list((tmp_path / "marked").iterdir())) == 1


def test_explanation_needs_no_extra(tmp_path):
    done = run("explain", ASTRONAUT, "--to", "why", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "why" / f"{ASTRONAUT.stem}-explained.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["setup", "--sample"], "train"),
        (["train"], "train"),
        (["-s", "True"], "train"),
        (["evaluate"], "train"),
        (["verify"], "train"),
        (["compare", "--backbones", "resnet18"], "train"),
        (["release", "--name", "mine"], "train"),
        (["export", "--format", "litert", "--output", "a.tflite"], "train"),
        (["demo"], "train"),
        (["explain", ASTRONAUT, "--runtime", "keras"], "train"),
        (["predict", ASTRONAUT, "--runtime", "keras"], "train"),
        (["serve"], "serve"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_other_commands_say_what_to_install(tmp_path, words, extra):
    done = run(*words, folder=tmp_path)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert f'install with: pip install "deep-emotion-keras[{extra}]"' in line
    assert not list(tmp_path.iterdir())
