"""Models by name, from folders and from hubs; nothing is lost on the way."""

import json
import shutil

import keras
import numpy as np
import pytest

from dan_tf import DAN
from deep_emotion import DeepEmotion, upload_preset
from ferkit.models.shipped_weights import shipped_weights
from model_presets import hubs
from model_presets.archive import unpack

PAPER = "deep_emotion_paper-fer2013"
FILES = {
    "README.md",
    "config.json",
    "metadata.json",
    "model.weights.h5",
    "release.json",
    "trained_on.json",
    f"{PAPER}.tflite",
}


@pytest.fixture(scope="module")
def images():
    return np.random.RandomState(3).uniform(0, 255, (2, 48, 48, 1)).astype("float32")


@pytest.fixture(scope="module")
def paper():
    return DeepEmotion.from_preset(PAPER)


@pytest.fixture(scope="module")
def folder(paper, tmp_path_factory):
    path = tmp_path_factory.mktemp("presets") / "paper"
    paper.save_to_preset(path)
    return path


@pytest.mark.parametrize(
    ("model_class", "name"), [(DeepEmotion, "deep_emotion-fer2013"), (DAN, "dan-fer2013")]
)
def test_shipped_presets_by_name(model_class, name, images):
    model = model_class.from_preset(name)
    assert type(model) is model_class
    saved = keras.models.load_model(shipped_weights()[name])
    np.testing.assert_array_equal(model(images), saved(images))
    assert name in model_class.presets()


def test_every_shipped_file_is_a_preset_of_one_class():
    assert {**DeepEmotion.presets(), **DAN.presets()} == shipped_weights()


def test_the_folder_has_the_layout_of_keras_hub(folder, paper):
    """As keras_hub's KerasPresetSaver writes it and its KerasPresetLoader reads it."""
    assert {file.name for file in folder.iterdir()} == FILES
    config = json.loads((folder / "config.json").read_text())
    assert set(config) == {"module", "class_name", "config", "registered_name"}
    assert config["registered_name"] == "deep_emotion>DeepEmotion"
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["keras_version"] == keras.__version__
    assert (metadata["parameter_count"], metadata["tasks"]) == (47_657, ["ImageClassifier"])
    # What its loader does with these files.
    loaded = keras.saving.deserialize_keras_object(config)
    loaded.load_weights(folder / "model.weights.h5")
    for received, expected in zip(loaded.get_weights(), paper.get_weights(), strict=True):
        np.testing.assert_array_equal(received, expected)


def test_keras_itself_loads_the_folder(folder, paper, images):
    np.testing.assert_array_equal(keras.models.load_model(folder)(images), paper(images))


def test_nothing_is_lost_in_a_round_trip(folder, paper, images, tmp_path):
    again = DeepEmotion.from_preset(folder)
    np.testing.assert_array_equal(again(images), paper(images))
    again.save_to_preset(tmp_path / "again")
    shipped = shipped_weights()[PAPER]
    released = json.loads((tmp_path / "again" / "release.json").read_text())
    assert len(released.pop("weights_sha256")) == 64
    assert released == json.loads(shipped.with_suffix(".json").read_text())
    same = {"README.md": ".md", f"{PAPER}.tflite": ".tflite"}
    for name, suffix in same.items():
        assert (tmp_path / "again" / name).read_bytes() == shipped.with_suffix(suffix).read_bytes()
    record = (tmp_path / "again" / "trained_on.json").read_bytes()
    assert record == (folder / "trained_on.json").read_bytes()
    assert json.loads(record)["complete"] is True


def test_figures_do_not_stay_with_other_weights(folder, tmp_path):
    model = DeepEmotion.from_preset(folder)
    bias = model.get_layer("logits").bias
    bias.assign(bias + 1)
    model.save_to_preset(tmp_path)
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {"config.json", "metadata.json", "model.weights.h5", "trained_on.json"}
    assert json.loads((tmp_path / "trained_on.json").read_text())["complete"] is False
    received = DeepEmotion.from_preset(tmp_path).get_layer("logits").bias
    np.testing.assert_array_equal(received, bias)


def test_figures_of_weights_that_were_replaced_in_the_folder_are_not_kept(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "preset")
    figures = json.loads((tmp_path / "preset" / "release.json").read_text())
    figures["weights_sha256"] = "0" * 64
    (tmp_path / "preset" / "release.json").write_text(json.dumps(figures))
    model = DeepEmotion.from_preset(tmp_path / "preset")
    assert set(model.preset_files) == {"trained_on.json"}
    assert json.loads(model.preset_files["trained_on.json"])["complete"] is False


def test_a_release_without_a_compiled_file_keeps_its_figures(tmp_path):
    for suffix in (".keras", ".json", ".md"):
        shutil.copy(shipped_weights()[PAPER].with_suffix(suffix), tmp_path)
    figures = json.loads((tmp_path / f"{PAPER}.json").read_text())
    del figures["compiled"]
    (tmp_path / f"{PAPER}.json").write_text(json.dumps(figures))
    (tmp_path / "preset").mkdir()
    unpack(tmp_path / f"{PAPER}.keras", tmp_path / "preset")
    assert {file.name for file in (tmp_path / "preset").iterdir()} == FILES - {f"{PAPER}.tflite"}
    (tmp_path / f"{PAPER}.json").write_text(json.dumps(figures | {"bytes": 1}))
    (tmp_path / "other").mkdir()
    unpack(tmp_path / f"{PAPER}.keras", tmp_path / "other")
    assert not (tmp_path / "other" / "release.json").exists()
    assert not (tmp_path / "other" / "README.md").exists()


def test_a_new_model_replaces_an_earlier_preset(folder, tmp_path):
    DeepEmotion.from_preset(folder).save_to_preset(tmp_path)
    DeepEmotion(class_names=("a", "b")).save_to_preset(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {
        "config.json",
        "metadata.json",
        "model.weights.h5",
    }
    assert DeepEmotion.from_preset(tmp_path).class_names == ("a", "b")


def test_a_folder_with_other_files_stays_as_it_is(paper, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(ValueError, match=r"has other files than a preset's. Give a new folder\.$"):
        paper.save_to_preset(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        (PAPER, f"^{PAPER}: no such preset. Give dan-fer2013, hf://OWNER/NAME, kaggle:"),
        ("folder", r"contains a DeepEmotion, expected a DAN\. Load it with its own class\.$"),
        ("hf://faces", "^hf://faces: not the address of a model. Give hf://OWNER/NAME or kaggle:"),
        ("s3://a/b", "not the address of a model"),
        ("kaggle://a/b", "not the address of a model"),
    ],
)
def test_one_clear_line_for_what_is_not_a_preset_of_this_class(preset, message, folder):
    with pytest.raises(ValueError, match=message) as caught:
        DAN.from_preset(folder if preset == "folder" else preset)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"{", "its config.json is not the configuration of a Keras model"),
        ("model.weights.h5", b"no weights", "damaged, or of another version"),
        ("model.weights.h5", None, "has no config.json and model.weights.h5"),
    ],
)
def test_a_damaged_preset(name, content, message, tmp_path):
    DeepEmotion(class_names=("a", "b")).save_to_preset(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        DeepEmotion.from_preset(tmp_path)


def test_upload_and_download_on_hugging_face(hub, folder, paper, images):
    upload_preset("hf://somebody/faces", folder)
    assert hub.files == {file.name: file.read_bytes() for file in folder.iterdir()}
    again = DeepEmotion.from_preset("hf://somebody/faces")
    np.testing.assert_array_equal(again(images), paper(images))
    assert set(again.preset_files) == FILES - {"config.json", "metadata.json", "model.weights.h5"}
    by_keras = keras.models.load_model("hf://somebody/faces")
    np.testing.assert_array_equal(by_keras(images), paper(images))


def test_download_from_kaggle(hub, folder, paper, images):
    hub.files = {file.name: file.read_bytes() for file in folder.iterdir()}
    again = DeepEmotion.from_preset("kaggle://somebody/faces/keras/variation")
    np.testing.assert_array_equal(again(images), paper(images))


def test_upload_to_kaggle_passes_address_and_folder(monkeypatch, folder):
    given = []

    class Library:
        @staticmethod
        def model_upload(name, path):
            given.append((name, path))

    monkeypatch.setattr(hubs, "library", lambda hub: {hubs.KAGGLE: Library}[hub])
    upload_preset("kaggle://somebody/faces/keras/variation", folder)
    assert given == [("somebody/faces/keras/variation", str(folder))]


def test_only_presets_are_uploaded(tmp_path):
    with pytest.raises(ValueError, match="not a preset"):
        upload_preset("hf://somebody/faces", tmp_path)
