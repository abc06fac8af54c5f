"""Runtimes agree with each other, may be shared by threads, and refuse files they cannot run."""

import dataclasses
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ferkit import Recognizer
from ferkit.cli import main
from ferkit.demo.steps import ASTRONAUT
from ferkit.errors import UserError
from ferkit.models.shipped_weights import model_file, shipped_weights
from ferkit.recognition import runtimes
from ferkit.recognition.litert_runtime import LiteRTRuntime
from ferkit.recognition.runtimes import RUNTIMES, load_runtime
from generate_data.samples.expressions import draw_face

NAME = "deep_emotion_paper-fer2013"
FACES = np.stack([draw_face(k % 7, np.random.default_rng(k)) for k in range(21)])[..., None]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with the paper's net as float32 .tflite and .onnx."""
    folder = tmp_path_factory.mktemp("exported")
    for file_format, file in (("litert", "net.tflite"), ("onnx", "net.onnx")):
        words = ["--weights", NAME, "--format", file_format, "--output", str(folder / file)]
        assert main(["export", *words]) == 0
    return folder


@pytest.fixture(scope="module")
def keras_runtime():
    return load_runtime(model_file(NAME), "keras")


@pytest.mark.parametrize("file", ["net.tflite", "net.onnx"])
@pytest.mark.parametrize("mirror", [False, True])
def test_exported_files_agree_with_keras(exported, keras_runtime, file, mirror):
    runtime = load_runtime(exported / file)
    assert runtime.class_names == keras_runtime.class_names
    assert runtime.input_shape == keras_runtime.input_shape
    assert runtime.parameters == keras_runtime.parameters == 47_657
    keras = Recognizer(NAME, detector="none", mirror=mirror, runtime="keras")
    expected, recognizer = keras.probabilities(FACES), Recognizer(exported / file, mirror=mirror)
    for rows in (1, 5, 21):
        received = recognizer.probabilities(FACES[:rows])
        np.testing.assert_allclose(received, expected[:rows], atol=1e-4)


@pytest.mark.parametrize("name", sorted(shipped_weights()))
def test_shipped_compiled_weights_agree_with_keras(name):
    compiled, keras = (load_runtime(model_file(name), runtime) for runtime in ("auto", "keras"))
    assert (compiled.name, keras.name) == ("litert", "keras")
    assert compiled.class_names == keras.class_names
    difference = np.abs(compiled.probabilities(FACES) - keras.probabilities(FACES))
    assert difference.max() < 0.05
    assert difference.mean() < 0.005


@pytest.mark.parametrize("name", sorted(shipped_weights()))
def test_shipped_compiled_weights_are_as_accurate_as_keras(name):
    compiled = json.loads(model_file(name).with_suffix(".json").read_text())["compiled"]
    assert compiled["count"] == 3589
    assert abs(compiled["accuracy"] - compiled["accuracy_keras"]) <= 0.003
    assert compiled["same_label"] >= 0.985
    error = compiled["expected_calibration_error"] - compiled["expected_calibration_error_keras"]
    assert error <= 0.005
    assert compiled["sha256"] in model_file(name).with_suffix(".md").read_text()


def test_threads_may_share_a_runtime(exported):
    runtime = load_runtime(exported / "net.tflite")
    alone = runtime.probabilities(FACES)
    with ThreadPoolExecutor(8) as pool:
        for received in pool.map(lambda _: runtime.probabilities(FACES), range(32)):
            np.testing.assert_array_equal(received, alone)


def test_a_model_of_another_size_and_other_classes(tmp_path):
    from deep_emotion import DeepEmotion

    names = ("calm", "other", "ünsure")
    DeepEmotion("input_warp", names, image_size=64, channels=3).save(tmp_path / "net.keras")
    for file_format, suffix in (("litert-int8", "tflite"), ("onnx", "onnx")):
        file = tmp_path / f"net.{suffix}"
        words = ["--weights", str(tmp_path / "net.keras"), "--format", file_format]
        assert main(["export", *words, "--output", str(file)]) == 0
        (face,) = Recognizer(file).predict(ASTRONAUT)
        assert tuple(face.probabilities) == names
        assert sum(face.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_only_the_compiled_file_of_the_release_is_used(tmp_path):
    for file in model_file(NAME).parent.glob(f"{NAME}.*"):
        shutil.copy(file, tmp_path)
    weights, twin = tmp_path / f"{NAME}.keras", tmp_path / f"{NAME}.tflite"
    assert load_runtime(weights).name == "litert"
    shutil.copy(model_file("deep_emotion-fer2013").with_suffix(".tflite"), twin)
    with pytest.raises(UserError, match=r"not the file that was released with .*checksum is wrong"):
        load_runtime(weights)
    assert load_runtime(weights, "keras").name == "keras"
    twin.unlink()
    assert load_runtime(weights).name == "keras"
    with pytest.raises(UserError, match=r"--runtime litert: cannot run .*; export it with: "):
        load_runtime(weights, "litert")
    shutil.copy(model_file(NAME).with_suffix(".tflite"), twin)
    weights.with_suffix(".json").unlink()
    assert load_runtime(weights).name == "keras"
    assert load_runtime(twin).name == "litert"


def test_damage_anywhere_is_found(exported, tmp_path):
    content = (exported / "net.tflite").read_bytes()
    damaged, rng = tmp_path / "net.tflite", np.random.default_rng(0)
    for length in [0, 1, 7, 8, 100, *rng.integers(8, len(content), 20).tolist()]:
        damaged.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"net\.tflite"):
            LiteRTRuntime(damaged)
    start = content.index(b"labels.txt") - 30
    for position in rng.integers(0, start, 40).tolist():
        changed = bytearray(content)
        changed[position] ^= 1 << int(rng.integers(8))
        damaged.write_bytes(changed)
        with pytest.raises(UserError, match=r"net\.tflite: (damaged|not a LiteRT file)"):
            LiteRTRuntime(damaged)


def test_files_that_are_not_ours(exported, tmp_path):
    content = (exported / "net.tflite").read_bytes()
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(content[: content.index(b"labels.txt") - 30])
    with pytest.raises(UserError, match="without class names"):
        load_runtime(bare)
    (tmp_path / "text.tflite").write_text("This is not a model. " * 10)
    with pytest.raises(UserError, match="not a LiteRT file"):
        load_runtime(tmp_path / "text.tflite")
    for content in (b"", b"nonsense", (exported / "net.onnx").read_bytes()[:-1000]):
        (tmp_path / "text.onnx").write_bytes(content)
        with pytest.raises(
            UserError, match=r"text.onnx: (ONNX Runtime cannot run it|an ONNX file)"
        ):
            load_runtime(tmp_path / "text.onnx")
    (tmp_path / "folder.tflite").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        load_runtime(tmp_path / "folder.tflite")


def test_an_onnx_file_without_class_names(exported, tmp_path):
    import onnx

    model = onnx.load(exported / "net.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(UserError, match="without class names: not one of ours"):
        load_runtime(tmp_path / "net.onnx")


@pytest.mark.parametrize(
    ("runtime", "match"),
    [
        ("onnx", r"--runtime onnx: cannot run .*keras; export it with: python main.py export"),
        ("tensorrt", r"--runtime tensorrt: unknown; choose from auto, litert, onnx, keras"),
    ],
)
def test_runtimes_that_cannot_run_a_file(runtime, match):
    with pytest.raises(UserError, match=match):
        load_runtime(model_file(NAME), runtime)


@pytest.mark.parametrize("runtime", ["keras", "onnx"])
def test_a_compiled_file_runs_only_in_its_runtime(exported, runtime):
    with pytest.raises(UserError, match=r"give a \.\w+ file, or --runtime litert"):
        load_runtime(exported / "net.tflite", runtime)


@pytest.mark.parametrize("name", list(RUNTIMES))
def test_a_runtime_that_is_not_installed(monkeypatch, tmp_path, name):
    absent = dataclasses.replace(RUNTIMES[name], package="no_such_package")
    monkeypatch.setitem(runtimes.RUNTIMES, name, absent)
    file = tmp_path / f"net{absent.suffix}"
    file.touch()
    with pytest.raises(UserError, match=r"needs no_such_package.*install with: pip install"):
        load_runtime(file)


def test_there_is_no_keras_model_in_another_runtime():
    with pytest.raises(UserError, match=r"runs in litert.*--runtime keras"):
        _ = Recognizer(NAME).model
    assert Recognizer(NAME, runtime="keras").model.count_params() == 47_657
