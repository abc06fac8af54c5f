"""Everything that names a model takes shipped weights, files, presets and addresses on hubs."""

import json
import re

import numpy as np
import pytest

from ferkit import Recognizer
from ferkit.cli import main
from ferkit.errors import UserError
from ferkit.hub import models as hub_models
from ferkit.models.saved_model import load_model
from ferkit.models.shipped_weights import model_file, shipped_weights
from ferkit.models.trained_on import read_trained_on
from ferkit.recipes.recipe import Recipe
from ferkit.recognition.released_thresholds import threshold_for
from ferkit.training.build_model import load_initial_weights
from ferkit.training.teachers import teacher_probabilities
from model_presets.archive import unpack

NAME = "deep_emotion_paper-fer2013"
SHIPPED = shipped_weights()[NAME]
CROP = np.random.RandomState(0).randint(0, 256, (1, 48, 48, 1)).astype("uint8")


@pytest.fixture
def preset(tmp_path, monkeypatch):
    """The folder of a preset, and a cache of this test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "preset"
    folder.mkdir()
    unpack(SHIPPED, folder)
    return folder


def test_a_preset_becomes_a_file_with_all_of_its_release(preset):
    file = model_file(str(preset))
    assert file.name == f"{NAME}.keras"
    assert read_trained_on(file).summary() == read_trained_on(SHIPPED).summary()
    for suffix in (".md", ".tflite"):
        assert file.with_suffix(suffix).read_bytes() == SHIPPED.with_suffix(suffix).read_bytes()
    figures = json.loads(file.with_suffix(".json").read_text())
    assert figures["bytes"] == file.stat().st_size
    released = json.loads(SHIPPED.with_suffix(".json").read_text())
    assert figures | {"bytes": 0} == released | {"bytes": 0}
    assert threshold_for(file, 0.3) == threshold_for(SHIPPED, 0.3)
    for received, expected in zip(
        load_model(file).get_weights(), load_model(SHIPPED).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(received, expected)


def test_a_preset_is_packed_once_and_again_if_it_changes(preset):
    first = model_file(str(preset))
    before = first.stat().st_mtime_ns
    assert model_file(str(preset)) == first
    assert first.stat().st_mtime_ns == before
    config = json.loads((preset / "config.json").read_text())
    config["config"]["dropout"] = 0.25
    (preset / "config.json").write_text(json.dumps(config))
    changed = model_file(str(preset))
    assert changed != first
    assert load_model(changed).dropout == 0.25


def test_figures_of_other_weights_are_not_used(preset):
    figures = json.loads((preset / "release.json").read_text())
    (preset / "release.json").write_text(json.dumps(figures | {"weights_sha256": "0" * 64}))
    file = model_file(str(preset))
    assert file.name == "preset.keras"
    assert not file.with_suffix(".json").exists()
    assert not file.with_suffix(".tflite").exists()


def test_a_name_in_the_figures_is_no_path(preset):
    figures = json.loads((preset / "release.json").read_text())
    figures |= {"name": "../../evil", "compiled": {"file": "../../evil.tflite"}}
    (preset / "release.json").write_text(json.dumps(figures))
    file = model_file(str(preset))
    assert file.name == "preset.keras"
    assert {path.name for path in file.parent.iterdir()} == {
        "preset.keras",
        "preset.json",
        "preset.md",
    }


def test_a_recognizer_of_a_hub_runs_its_compiled_file(hub, tmp_path):
    upload(hub, tmp_path / "uploaded")
    for address in ("hf://somebody/faces", "kaggle://somebody/faces/keras/variation/1"):
        recognizer = Recognizer(address, detector="none")
        assert recognizer.runtime.name == "litert"
        expected = Recognizer(NAME, detector="none").runtime.probabilities(CROP)
        np.testing.assert_array_equal(recognizer.runtime.probabilities(CROP), expected)


def upload(hub, folder):
    """Fill the stand-in with the preset of the shipped weights."""
    folder.mkdir()
    unpack(SHIPPED, folder)
    hub.files = {file.name: file.read_bytes() for file in folder.iterdir()}


def test_teacher_and_init_from_take_a_hub(hub, tmp_path):
    upload(hub, tmp_path / "uploaded")
    model = load_model(SHIPPED)
    weights = model.get_weights()
    model.set_weights([np.zeros_like(weight) for weight in weights])
    load_initial_weights(model, Recipe(init_from="hf://somebody/faces"))
    for received, expected in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(received, expected)
    for teachers in ("hf://faces", f"{NAME}, hf://faces"):
        with pytest.raises(UserError, match=r"^--teacher hf://faces: not the address of a model"):
            teacher_probabilities(None, teachers)


@pytest.mark.slow
def test_export_takes_a_hub(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    upload(hub, tmp_path / "uploaded")
    words = ["export", "--weights", "hf://somebody/faces", "--format", "litert"]
    assert main([*words, "--output", "face.tflite"]) == 0
    assert (tmp_path / "face.tflite").is_file()


@pytest.mark.parametrize(
    ("address", "status", "line"),
    [
        ("hf://somebody/faces", 401, "hf://somebody/faces: .*Hugging Face Hub.* HF_TOKEN"),
        ("hf://somebody/faces", 404, "hf://somebody/faces: not found on the Hugging Face Hub"),
        ("kaggle://a/b/keras/c", 403, r"kaggle://a/b/keras/c: Kaggle refused access \(403\)"),
        ("hf://somebody/faces", 429, ".* refused too many requests"),
    ],
)
def test_one_line_for_what_a_hub_refuses(address, status, line, hub, capsys):
    hub.refusal = status
    assert main(["predict", "photo.jpg", "--weights", address]) == 2
    error = capsys.readouterr().err
    assert re.match(f"error: --weights {line}", error), error
    assert error.count("\n") == 1


def test_one_line_without_a_connection(hub, monkeypatch, capsys):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert main(["predict", "photo.jpg", "--weights", "hf://somebody/faces"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --weights hf://somebody/faces: no connection to the Hugging")


def test_a_hub_without_a_preset(hub, capsys):
    hub.files = {"README.md": b"# words\n"}
    assert main(["predict", "photo.jpg", "--weights", "hf://somebody/faces"]) == 2
    assert "has no config.json and model.weights.h5, so it is not a preset" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("address", ["hf://faces", "hf://a/b/c", "kaggle://a/b", "s3://a/b"])
def test_a_malformed_address(address):
    pattern = rf"^--weights {address}: not the address of a model; give hf://OWNER/NAME or kaggle"
    with pytest.raises(UserError, match=pattern):
        model_file(address, "--weights")


def test_without_the_library_the_line_names_the_extra(monkeypatch):
    monkeypatch.setattr(hub_models.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'huggingface_hub, which.*"deep-emotion-keras\[hub\]"'):
        model_file("hf://somebody/faces")
    with pytest.raises(UserError, match="needs kagglehub, which is not installed"):
        model_file("kaggle://a/b/keras/c")


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="not a preset; give the folder that save_to_preset wrote"):
        model_file(str(tmp_path), "--weights")
