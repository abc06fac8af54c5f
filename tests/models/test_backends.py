"""Shipped files on every backend of Keras: the same logits. Commands are TensorFlow's only."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from ferkit.cli import main
from ferkit.models.shipped_weights import shipped_weights
from tests.support.command_line import ROOT

BACKENDS = {"jax": "jax", "torch": "torch"}  # backend -> its package
SCRIPT = """
import sys
import dan_tf, deep_emotion
import keras, numpy as np
assert "tensorflow" not in sys.modules or keras.backend.backend() == "tensorflow"
images = np.random.RandomState(0).uniform(0, 255, (4, 48, 48, 1)).astype("float32")
models = [keras.models.load_model(file) for file in sys.argv[2:]]
logits = [keras.ops.convert_to_numpy(model(images, training=False)) for model in models]
np.savez(sys.argv[1], keras.backend.backend(), *logits)
"""


def logits_on(backend, folder):
    """The logits of every shipped file, in the order of their names."""
    files = [str(file) for _, file in sorted(shipped_weights().items())]
    store = folder / f"{backend}.npz"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(store), *files],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    with np.load(store) as stored:
        used, *logits = (stored[name] for name in stored.files)
    assert str(used) == backend
    assert len(logits) == len(files)
    return logits


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_shipped_files_give_the_logits_of_tensorflow(backend, tmp_path):
    if importlib.util.find_spec(BACKENDS[backend]) is None:
        pytest.skip(f"{BACKENDS[backend]} is not installed; make test-backends installs it")
    expected = logits_on("tensorflow", tmp_path)
    for received, tensorflow in zip(logits_on(backend, tmp_path), expected, strict=True):
        assert tensorflow.std() > 0.3
        np.testing.assert_allclose(received, tensorflow, rtol=0, atol=1e-4)


@pytest.mark.parametrize("words", ["train -d gone", "export --format litert --output face.tflite"])
def test_the_trainer_says_that_it_is_tensorflows(words, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: KERAS_BACKEND=jax: the trainer is TensorFlow's, ")
    assert error.count("\n") == 1
