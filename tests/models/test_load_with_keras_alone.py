"""Shipped files load with Keras alone, once their package is imported."""

import subprocess
import sys

import pytest

from ferkit.models.shipped_weights import shipped_weights
from tests.support.command_line import ROOT

SCRIPT = """
import sys, {package}
assert not any(name.startswith("ferkit") for name in sys.modules)
import keras
for file in sys.argv[1:]:
    print(type(keras.models.load_model(file)).__name__)
"""


@pytest.mark.parametrize(("package", "name"), [("deep_emotion", "DeepEmotion"), ("dan_tf", "DAN")])
def test_load_model_after_importing_the_package(package, name):
    files = [str(path) for path in shipped_weights().values() if package in path.parts]
    assert files
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(package=package), *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [name] * len(files)
