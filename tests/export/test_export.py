"""Exported files in their own runtimes, compared with Keras, and the errors of `export`."""

import contextlib
import errno
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dan_tf import DAN
from deep_emotion import DeepEmotion
from ferkit import files
from ferkit.cli import main
from ferkit.errors import UserError
from ferkit.export import agreement, litert
from ferkit.export import export as export_module
from ferkit.export import onnx as onnx_file
from ferkit.export.formats import FORMATS
from ferkit.files import folder_written_atomically
from ferkit.models import shipped_weights as weights
from ferkit.models.saved_model import load_model
from tests.support.command_line import ROOT, fails

CARD = "# mine\n\nA card with a figure: 12.34%.\n"


def shaken(model):
    """The model with all weights moved a little: no layer is at its neutral start."""
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign_add(rng.normal(0, 0.02, weight.shape))
    return model


@pytest.fixture(scope="module")
def folder_with_models(tmp_path_factory):
    """Models in .keras files, one with a card beside it, and a dataset that is not in data/."""
    folder = tmp_path_factory.mktemp("export")
    shaken(DeepEmotion("input_warp")).save(folder / "mine.keras")
    for name, heads in (("gelu", 0), ("dan", 2)):
        small = {"image_size": 32, "channels": 1, "head_width": 8, "stem_stride": 2}
        shaken(DAN("convnext_face", num_heads=heads, **small)).save(folder / f"{name}.keras")
    shaken(DeepEmotion("paper", class_names=("good", "bad"))).save(folder / "two.keras")
    (folder / "mine.md").write_text(CARD)
    assert main(["setup", "--sample", "--sample-count", "150", "-d", str(folder / "faces")]) == 0
    return folder


@pytest.fixture(scope="module")
def exports(folder_with_models):
    """mine.keras in every format: format -> what was written, and what was printed."""
    before = os.getcwd()
    os.chdir(folder_with_models)
    done = {}
    try:
        for form in FORMATS:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                assert main(words(f"exports/{form}", form)) == 0
            done[form] = folder_with_models / "exports" / form, printed.getvalue()
    finally:
        os.chdir(before)
    return done


@pytest.fixture
def here(folder_with_models, monkeypatch):
    monkeypatch.chdir(folder_with_models)
    return folder_with_models


def words(output, form, weights="mine.keras", *more):
    return ["export", "--weights", str(weights), "--format", form, "--output", str(output), *more]


def entries(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def answers(form, path, images):
    """The probabilities of the format's own runtime, without this program."""
    if form == "savedmodel":
        loaded = tf.saved_model.load(str(path))
        serve = loaded.signatures["serving_default"]
        assert list(serve.structured_input_signature[1]) == ["image"]
        assert list(serve.structured_outputs) == ["probabilities"]
        return serve(image=tf.constant(images))["probabilities"].numpy()
    if form == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        assert [(one.name, one.shape[0], one.type) for one in session.get_inputs()] == [
            ("image", "batch", "tensor(float)")
        ]
        assert [(one.name, one.shape[0]) for one in session.get_outputs()] == [
            ("probabilities", "batch")
        ]
        return session.run(None, {"image": images})[0]
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["image"], "outputs": ["probabilities"]}
    }
    return interpreter.get_signature_runner()(image=images)["probabilities"]


def agrees(form, path, keras_file, tolerance):
    """Faces of 1, 5 and 3 rows, in this order: a runtime that keeps its first batch size fails."""
    model = load_model(keras_file)
    faces = tf.image.resize(
        agreement.drawn_faces()[4:9].astype("float32"), model.input_shape[1:3]
    ).numpy()
    expected = tf.nn.softmax(model(faces, training=False)).numpy()
    assert np.ptp(expected, axis=1).min() > 1e-3  # not the same output for all faces
    for rows in (1, 5, 3):
        received = answers(form, path, faces[:rows])
        assert received.dtype == np.float32
        np.testing.assert_allclose(received, expected[:rows], atol=tolerance, rtol=0)


# ---- what is written


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_answers_in_its_own_runtime_as_keras_does(here, exports, form):
    path, printed = exports[form]
    assert "The accuracy was not measured: no dataset in data/; give one with -d DIR." in printed
    assert "37 drawn faces" in printed
    assert entries(path.parent) == sorted(FORMATS)
    agrees(form, path, "mine.keras", 0.02 if form == "litert-int8" else 1e-4)


def test_exact_gelu_reaches_onnx(here, tmp_path):
    assert main(words(tmp_path / "out", "onnx", "gelu.keras")) == 0
    agrees("onnx", tmp_path / "out", "gelu.keras", 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("form", [name for name in FORMATS if name != "litert-int8"])
def test_dan(here, form, tmp_path):
    """Without 8 bits: they change untrained weights by up to 0.88 of a probability.

    The shipped weights are tested in 8 bits below.
    """
    assert main(words(tmp_path / "out", form, "dan.keras")) == 0
    agrees(form, tmp_path / "out", "dan.keras", 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", weights.shipped_weights())
@pytest.mark.parametrize("form", FORMATS)
def test_shipped_weights(name, form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words("out", form, name)) == 0
    agrees(
        form,
        tmp_path / "out",
        weights.model_file(name),
        agreement.INT8_TOLERANCE if form == "litert-int8" else 1e-4,
    )


def test_kernels_of_8_bits_are_smaller(exports):
    large, small = (exports[form][0].stat().st_size for form in ("litert", "litert-int8"))
    assert small < large / 2


def test_small_kernels_stay_float32(exports):
    """They are the sensitive ones: 8 bits in the localization network alone changed a probability
    by 0.06."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(exports["litert-int8"][0]))
    sizes = {"float32": [], "int8": []}
    for tensor in interpreter.get_tensor_details():
        if tensor["name"].endswith(("/convolution", "/MatMul")):
            sizes[tensor["dtype"].__name__].append(np.prod(tensor["shape"]))
    assert min(sizes["int8"]) >= litert.SMALL_KERNEL > max(sizes["float32"]) > 1024


def described(form, path):
    """labels.txt and model_card.md, read without this program."""
    if form == "savedmodel":
        return [
            (path / "assets.extra" / name).read_text() for name in ("labels.txt", "model_card.md")
        ]
    if form == "onnx":
        import onnx

        found = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        return [found[name] for name in ("labels.txt", "model_card.md")]
    with zipfile.ZipFile(path) as archive:
        return [archive.read(name).decode() for name in ("labels.txt", "model_card.md")]


@pytest.mark.parametrize("form", FORMATS)
def test_labels_and_card_are_in_the_file(exports, form):
    labels, card = described(form, exports[form][0])
    assert labels.split() == ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    assert card.endswith(CARD)
    assert "float32 (batch, 48, 48, 1), any batch size; pixels 0 to 255, gray" in card
    assert ("8 bits" in card) == (form == "litert-int8")


def test_weights_without_a_card_say_so(here, tmp_path):
    assert main(words(tmp_path / "out", "savedmodel", "two.keras")) == 0
    labels, card = described("savedmodel", tmp_path / "out")
    assert labels == "good\nbad\n"
    assert "have no model card" in card


def test_accuracy_is_measured_on_a_dataset(here, tmp_path, capfd):
    assert main(words(tmp_path / "out", "litert", "mine.keras", "-d", "faces")) == 0
    printed, chatter = capfd.readouterr()
    assert not chatter
    assert (
        main(
            [
                "evaluate",
                "-d",
                "faces",
                "--checkpoint",
                "mine.keras",
                "--json",
                str(tmp_path / "keras.json"),
            ]
        )
        == 0
    )
    figures = json.loads((tmp_path / "keras.json").read_text())
    accuracy = f"{figures['accuracy']:.2%}"
    assert f"{figures['count']:>5} val images" in printed
    assert f"accuracy {accuracy}, Keras: {accuracy}" in printed


# ---- files that disagree are deleted


def other_weights(change):
    def for_export(model):
        other = DeepEmotion.from_config({**model.get_config(), "sampler": "tensorflow"})
        other.set_weights(model.get_weights())
        last = other.get_layer("logits")
        last.bias.assign(change(last.bias.numpy()))
        return other

    return for_export


DISAGREEING = (
    "savedmodel",
    "litert-int8",
    *(pytest.param(form, marks=pytest.mark.slow) for form in ("litert", "onnx")),
)


@pytest.mark.parametrize("form", DISAGREEING)
def test_a_file_that_disagrees_fails_and_is_deleted(here, form, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        DeepEmotion, "for_export", other_weights(lambda bias: bias + np.eye(7)[3] * 2)
    )
    line = fails(words(tmp_path / "out", form), capsys)
    assert line.startswith(f"error: mine.keras as {form}: probabilities differ by up to 0.")
    assert line.endswith("Nothing was written.")
    assert entries(tmp_path) == []


def test_an_earlier_file_stays_if_the_new_one_disagrees(here, tmp_path, monkeypatch, capsys):
    assert main(words(tmp_path / "folder", "savedmodel")) == 0
    (tmp_path / "file").write_text("before")
    with monkeypatch.context() as patch:
        patch.setattr(DeepEmotion, "for_export", other_weights(lambda bias: bias * np.nan))
        assert "up to nan" in fails(
            words(tmp_path / "file", "litert", "mine.keras", "--force"), capsys
        )
        assert "up to nan" in fails(
            words(tmp_path / "folder", "savedmodel", "mine.keras", "--force"), capsys
        )
    assert (tmp_path / "file").read_text() == "before"
    assert entries(tmp_path) == ["file", "folder"]
    agrees("savedmodel", tmp_path / "folder", "mine.keras", 1e-4)


@pytest.mark.slow
def test_a_small_difference_is_detected(here, tmp_path, monkeypatch, capsys):
    """2e-4 of a logit are less than 1e-4 of a probability; 2e-3 are more."""
    for shift, code in ((2e-4, 0), (2e-3, 2)):
        monkeypatch.setattr(
            DeepEmotion,
            "for_export",
            other_weights(lambda bias, shift=shift: bias + np.eye(7)[3] * shift),
        )
        assert main(words(tmp_path / f"{shift}", "savedmodel")) == code
    assert entries(tmp_path) == ["0.0002"]


def test_int8_is_judged_by_its_accuracy_if_there_are_labels():
    far = agreement.Agreement(37, 0.2)

    def measured(accuracy):
        return agreement.Agreement(100, 0.2, accuracy_keras=0.5, accuracy=accuracy)

    agreement.check_agreement("x.keras", far, measured(0.4901), int8=True)
    with pytest.raises(
        UserError,
        match=r"^x\.keras: accuracy 48\.90% with 8-bit kernels, where Keras has 50\.00%, "
        r"more than 1% apart; export without int8\. Nothing was written\.$",
    ):
        agreement.check_agreement("x.keras", far, measured(0.489), int8=True)
    with pytest.raises(
        UserError,
        match=r"differ by up to 0\.2 from those of Keras, and 0\.05 is allowed; .*"
        r"labeled images with -d DIR",
    ):
        agreement.check_agreement("x.keras", far, None, int8=True)
    with pytest.raises(
        UserError, match=r"differ by up to 0\.2 from those of Keras, and 0\.0001 is allowed"
    ):
        agreement.check_agreement("x.keras", agreement.Agreement(37, 0.0), measured(0.5))
    not_finite = agreement.Agreement(100, np.nan, 0.5, 0.5)
    with pytest.raises(UserError, match="probabilities are NaN or infinite with 8-bit kernels"):
        agreement.check_agreement("x.keras", far, not_finite, int8=True)


@pytest.mark.slow
def test_int8_without_accuracy_fails_on_a_dataset(here, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        DeepEmotion, "for_export", other_weights(lambda bias: bias + np.eye(7)[1] * 20)
    )
    line = fails(words(tmp_path / "out", "litert-int8", "mine.keras", "-d", "faces"), capsys)
    assert "with 8-bit kernels, where Keras has" in line
    assert entries(tmp_path) == []


@pytest.mark.slow
def test_onnx_with_an_operation_that_it_lacks_is_refused(here, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(onnx_file, "HANDLERS", {})
    line = fails(words(tmp_path / "out", "onnx", "gelu.keras"), capsys)
    assert "Erfc" in line
    assert entries(tmp_path) == []


@pytest.mark.slow
def test_litert_with_an_operation_that_is_not_built_in_is_refused(
    here, tmp_path, monkeypatch, capsys
):
    class Graph(export_module.ExportGraph):
        def __init__(self, model):
            super().__init__(model)
            serve = self.serve

            @tf.function(input_signature=serve.input_signature, autograph=False)
            def other(image):
                return {
                    "probabilities": serve(image)["probabilities"]
                    + tf.reduce_mean(tf.math.digamma(image + 1.0)) * 1e-9
                }

            self.serve = other

    monkeypatch.setattr(export_module, "ExportGraph", Graph)
    assert main(words(tmp_path / "fine", "savedmodel")) == 0
    line = fails(words(tmp_path / "out", "litert"), capsys)
    assert line.startswith("error: mine.keras as litert: ")
    assert entries(tmp_path) == ["fine"]


@pytest.mark.parametrize("form", ["litert", "savedmodel"])
def test_ctrl_c_leaves_nothing(here, form, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(export_module, "check_agreement", stopped)
    assert main(words(tmp_path / "out", form)) == 130
    assert entries(tmp_path) == []


# ---- bad input


def test_an_existing_output_is_replaced_only_with_force(here, tmp_path, capsys):
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.write_text("mine")
    assert main(words(folder, "savedmodel")) == 0
    (folder / "stale").touch()
    for path, form in ((file, "litert"), (folder, "savedmodel")):
        assert f"--output {path}: already exists; add --force to replace it" in fails(
            words(path, form), capsys
        )
    assert file.read_text() == "mine"
    assert (folder / "stale").exists()
    for path, form in ((file, "litert"), (folder, "savedmodel")):
        assert main(words(path, form, "mine.keras", "--force")) == 0
        agrees(form, path, "mine.keras", 1e-4)
    assert not (folder / "stale").exists()
    assert entries(tmp_path) == ["file", "folder"]


def test_no_folder_of_another_kind_is_replaced_even_by_force(here, tmp_path, capsys):
    (tmp_path / "photo.jpg").write_text("a photo")
    for force in ([], ["--force"]):
        line = fails(words(tmp_path, "savedmodel", "mine.keras", *force), capsys)
        assert "contains something other than a SavedModel" in line
        line = fails(words(tmp_path, "onnx", "mine.keras", *force), capsys)
        assert "is a folder, and onnx is one file" in line
        line = fails(words(tmp_path / "photo.jpg", "savedmodel", "mine.keras", *force), capsys)
        assert "is a file, and savedmodel is a folder" in line
    assert entries(tmp_path) == ["photo.jpg"]
    assert "not a name" in fails(words(".", "savedmodel"), capsys)


@pytest.mark.parametrize("form", ["litert", "savedmodel"])
def test_paths_that_cannot_be_written(here, form, tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    assert "cannot be written" in fails(words(tmp_path / "file" / "out", form), capsys)
    assert "cannot be written" in fails(words(tmp_path / ("x" * 300), form), capsys)
    assert entries(tmp_path) == ["file"]


def test_a_full_disk_is_reported(here, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert "no space left on the disk" in fails(words(tmp_path / "out", "litert"), capsys)
    assert entries(tmp_path) == []


def test_unknown_values_are_one_line(here, tmp_path, capsys):
    assert "--format: invalid choice: 'tflite'" in fails(words(tmp_path / "out", "tflite"), capsys)
    assert "no such weights" in fails(words(tmp_path / "out", "onnx", "nobody"), capsys)
    assert "--output" in fails(["export", "--weights", "mine.keras", "--format", "onnx"], capsys)
    assert "no such folder" in fails(
        words(tmp_path / "out", "onnx", "mine.keras", "-d", "nowhere"), capsys
    )
    assert entries(tmp_path) == []


def test_a_dataset_of_other_classes(here, tmp_path, monkeypatch, capsys):
    line = fails(words(tmp_path / "out", "savedmodel", "two.keras", "-d", "faces"), capsys)
    assert "faces: has the classes angry, " in line
    assert "and two.keras has good, bad" in line
    (tmp_path / "data").symlink_to(here / "faces")
    monkeypatch.chdir(tmp_path)
    assert main(words("out", "savedmodel", here / "two.keras")) == 0
    assert "not measured: the dataset in data/ has other classes" in capsys.readouterr().out
    assert main(words("third", "savedmodel", here / "mine.keras")) == 0
    assert "accuracy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("form", "packages"), [("litert", 1), ("litert-int8", 1), ("onnx", 2), ("savedmodel", 0)]
)
def test_a_missing_runtime_is_named_with_what_installs_it(
    here, form, packages, tmp_path, monkeypatch, capsys
):
    found = importlib.util.find_spec
    gone = ("ai_edge_litert", "onnxruntime", "tf2onnx")
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name in gone else found(name, *more),
    )
    if not packages:
        assert main(words(tmp_path / "out", form)) == 0
        return
    line = fails(words(tmp_path / "out", form), capsys)
    requirements = re.findall(r'"(.+?)"', line.partition("pip install ")[2])
    assert len(requirements) == packages
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = {*project["dependencies"], *project["optional-dependencies"]["export"]}
    assert set(requirements) <= known
    assert entries(tmp_path) == []


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from ferkit.cli import main\n"
        "try: main(['export', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'numpy', 'onnxruntime', 'tf2onnx', 'ai_edge_litert'}\n"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "--weights dan-fer2013 --format onnx" in done.stdout


# ---- folders are complete or absent


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "before").touch()
    replace = files.os.replace

    def fails_once(source, target):
        if not Path(source).name.startswith(".ferkit-old-") and Path(target).name == "out":
            raise OSError(errno.EIO, "broken disk")
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", fails_once)
    with (
        pytest.raises(UserError, match="broken disk"),
        folder_written_atomically(tmp_path / "out") as draft,
    ):
        (draft / "after").touch()
    assert entries(tmp_path) == ["out"]
    assert entries(tmp_path / "out") == ["before"]
