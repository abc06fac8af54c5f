"""Model files that were made to fill memory, or that hold no model, are refused before Keras."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

from deep_emotion import DeepEmotion
from ferkit.errors import UserError
from ferkit.models import saved_model
from ferkit.models.archive_checks import CONFIG, WEIGHTS
from ferkit.models.saved_model import load_model
from ferkit.recognition.compiled_file import read_compiled


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """The members of a valid file: name -> bytes."""
    path = tmp_path_factory.mktemp("valid") / "m.keras"
    DeepEmotion("input_warp").save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def refused(members, tmp_path, monkeypatch):
    """A function that returns the error for the valid file with some members replaced."""
    monkeypatch.setattr(saved_model.keras.models, "load_model", _must_not_be_called)

    def error(**changed):
        path = tmp_path / "m.keras"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in {**members, **changed}.items():
                if content is not None:
                    archive.writestr(name, content)
        with pytest.raises(UserError) as raised:
            load_model(path)
        return str(raised.value)

    return error


def _must_not_be_called(*arguments, **options):
    raise AssertionError("Keras was given a file that should have been refused")


def config_with(members, **options):
    config = json.loads(members[CONFIG])
    config["config"] |= options
    return json.dumps(config)


def weights_of(write):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as store:
        write(store)
    return buffer.getvalue()


def test_a_zip_bomb_is_refused_by_its_size(refused):
    message = refused(**{WEIGHTS: bytes(40 * 2**20)})
    assert "model.weights.h5 has 41,943,040 bytes, at most 16,777,216 expected" in message


def test_a_large_configuration_is_refused(refused):
    message = refused(**{CONFIG: " " * (2**20 + 1)})
    assert "config.json has 1,048,577 bytes, at most 1,048,576 expected" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 20_000}, "image_size 20000, expected 1 to 1024 pixels"),
        ({"image_size": -1}, "image_size -1, expected 1 to 1024 pixels"),
        ({"image_size": "48"}, "image_size 48, expected 1 to 1024 pixels"),
        ({"channels": 10**9}, "channels 1000000000, expected 1 or 3"),
        ({"class_names": ["happy", "sad", "happy"]}, "its class names are not different texts"),
        ({"class_names": [1, 2]}, "its class names are not different texts"),
        ({"class_names": list(map(str, range(2000)))}, "2,000 classes, at most 1,000 expected"),
        ({"class_names": 7}, "cannot be read: damaged, or not a model of this program"),
    ],
)
def test_a_configuration_out_of_range_is_refused(refused, members, options, message):
    assert message in refused(**{CONFIG: config_with(members, **options)})


@pytest.mark.parametrize("config", [b"", b"[]", b"[" * 100_000, b'{"config": 3}', b"\xff"])
def test_a_damaged_configuration_is_one_line(refused, config):
    assert refused(**{CONFIG: config}).startswith("/")


def test_missing_members_are_named(refused):
    assert "contains no model.weights.h5" in refused(**{WEIGHTS: None})
    assert "contains no config.json" in refused(**{CONFIG: None})


def test_arrays_that_are_not_in_the_file_are_refused(refused):
    def claim(store):
        store.create_dataset("a", (2**20, 2**20), "float32", chunks=(1024, 1024))

    def external(store):
        store.create_dataset("a", (3,), "uint8", external=[("/etc/hostname", 0, 3)])

    assert "claims arrays of 4,398,046,511,104 bytes" in refused(**{WEIGHTS: weights_of(claim)})
    assert "a is stored in another file" in refused(**{WEIGHTS: weights_of(external)})


def test_any_other_keras_model_is_refused(refused, tmp_path):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "other.keras")
    with zipfile.ZipFile(tmp_path / "other.keras") as archive:
        config = archive.read(CONFIG)
    assert "was not made by this program" in refused(**{CONFIG: config})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
    model = DeepEmotion("input_warp")
    kernel = model.get_layer("logits").kernel.numpy()
    kernel[3, 2] = value
    model.get_layer("logits").kernel.assign(kernel)
    model.save(tmp_path / "m.keras")
    with pytest.raises(UserError, match=r"m.keras: its weights logits/kernel are not all finite"):
        load_model(tmp_path / "m.keras")


def test_options_that_would_fill_memory_are_refused_with_their_reason(tmp_path, members):
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            changed = config_with(members, variant="paper", branches=10**9)
            archive.writestr(name, changed if name == CONFIG else content)
    with pytest.raises(UserError, match="Expected `branches` from 0 to 64"):
        load_model(path)


def test_a_compiled_file_with_two_classes_of_one_name_is_refused(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(b"\0\0\0\0TFL3" + bytes(100))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "happy\nsad\nhappy\n")
    with pytest.raises(UserError, match="two of its classes have the same name"):
        read_compiled(path)


def test_a_compiled_file_with_a_zip_bomb_is_refused(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(b"\0\0\0\0TFL3" + bytes(100))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", "happy\nsad\n")
    assert read_compiled(path).class_names == ("happy", "sad")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model_card.md", bytes(65 * 2**20))
    with pytest.raises(UserError, match="a LiteRT file without class names"):
        read_compiled(path)
