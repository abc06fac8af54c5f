"""Shared by the tests of prediction: a small model, and a folder where white squares are faces."""

import keras
import pytest

from deep_emotion import DeepEmotion
from ferkit.recognition.recognizer import Recognizer
from tests.support.drawn_films import BrightSquares
from tests.support.fake_runtime import FakeRuntime


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.keras"
    keras.utils.set_random_seed(1)  # so that no two classes are equally likely
    DeepEmotion("input_warp").save(path)
    return str(path)


@pytest.fixture
def here(tmp_path, monkeypatch, weights):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ferkit.recognition.recognizer.make_detector", lambda *_: BrightSquares())
    return tmp_path


@pytest.fixture
def recognizer(monkeypatch):
    """A recognizer without a model."""
    monkeypatch.setattr("ferkit.recognition.recognizer.load_runtime", lambda *_: FakeRuntime())
    monkeypatch.setattr("ferkit.recognition.recognizer.model_file", lambda name: name)
    monkeypatch.setattr("ferkit.recognition.recognizer.make_detector", lambda *_: BrightSquares())
    return Recognizer("any")
