"""Released models: small, calibrated, loadable by plain Keras.

Their model cards contain the figures of the file.
"""

import dataclasses
import hashlib
import json
import runpy
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest

from deep_emotion import DeepEmotion
from ferkit.cli import main
from ferkit.models import shipped_weights as weights
from ferkit.models.saved_model import load_model
from ferkit.models.trained_on import TRAINED_ON, read_trained_on
from ferkit.recognition.compiled_file import read_compiled
from ferkit.recognition.runtimes import load_runtime
from ferkit.release import compiled, release
from ferkit.release.calibration import fit_temperature
from ferkit.release.half_precision import halve
from tests.support.command_line import QUICK, ROOT, fails, workplace_in
from tests.support.kaggle_files import smooth_images, write_icml_csv

MEMBERS = {"metadata.json", "config.json", "model.weights.h5", TRAINED_ON}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with a dataset in data/, a run in runs/first and its release in released/."""
    release = ["release", "-d", "data", "--run", "runs/first", "--name", "mine"]
    return workplace_in(tmp_path_factory.mktemp("release"), release)


@pytest.fixture
def here(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    return workplace


def stored_dtypes(path):
    dtypes = {}
    with (
        zipfile.ZipFile(path) as archive,
        archive.open("model.weights.h5") as file,
        h5py.File(file, "r") as store,
    ):
        store.visititems(
            lambda name, item: (
                dtypes.update({name: item}) if isinstance(item, h5py.Dataset) else None
            )
        )
        return {name: (item.dtype.name, item.ndim) for name, item in dtypes.items()}


def test_released_file_is_half_as_large_and_computes_the_same(here):
    full, half = load_model("runs/first/best.keras"), load_model("released/mine.keras")
    assert (here / "released/mine.keras").stat().st_size < 0.62 * (
        here / "runs/first/best.keras"
    ).stat().st_size
    figures = json.loads((here / "released/mine.json").read_text())
    pixels = np.random.default_rng(0).integers(0, 256, (16, 48, 48, 1)).astype("float32")
    expected = np.array(full(pixels)) / figures["temperature"]
    np.testing.assert_allclose(np.array(half(pixels)), expected, atol=0.01 * np.abs(expected).max())
    assert {weight.dtype for weight in half.weights} == {"float32"}
    assert figures["bytes"] == (here / "released/mine.keras").stat().st_size


def test_a_temperature_is_merged_where_the_split_has_enough_images(here, monkeypatch, tmp_path):
    words = ["release", "-d", "data", "--run", "runs/first", "--compiled", "False"]
    words += ["--name", "m", "--to", str(tmp_path)]
    assert main(words) == 0
    few = json.loads((tmp_path / "m.json").read_text())
    assert (few["temperature"], few["calibration_images"]) == (1.0, 43)
    assert few["calibration_errors_held_out"] is None
    card = " ".join((tmp_path / "m.md").read_text().split())
    assert "only 43 images that the model has not learned, and at least 100 are needed" in card
    assert "The epoch, the recipe and the temperature were chosen" not in card
    monkeypatch.setattr(release, "MIN_IMAGES", 43)
    assert main(words) == 0
    figures = json.loads((tmp_path / "m.json").read_text())
    assert figures["temperature"] != 1.0
    assert "fitted on the val split" in " ".join((tmp_path / "m.md").read_text().split())
    pixels = np.random.default_rng(0).integers(0, 256, (16, 48, 48, 1)).astype("float32")
    expected = load_model("runs/first/best.keras")(pixels).numpy() / figures["temperature"]
    logits = load_model(tmp_path / "m.keras")(pixels).numpy()
    np.testing.assert_allclose(logits, expected, atol=0.01 * np.abs(expected).max())


def test_a_temperature_is_fitted_on_images_that_were_not_learned(toy_split, monkeypatch):
    split = toy_split("val", 30)
    logits = np.random.default_rng(1).normal(0, 1, (2, 30, 7))
    logits[:, np.arange(20), split.labels[:20]] += 20  # learned by heart
    learned = dataclasses.replace(split, learned=np.arange(30) < 20, learned_complete=True)
    assert release._calibration(logits, learned)["temperature"] == 1.0
    monkeypatch.setattr(release, "MIN_IMAGES", 10)
    fitted = release._calibration(logits, learned)
    assert fitted["calibration_images"] == 10
    assert fitted["temperature"] == fit_temperature(logits[:, 20:], split.labels[20:])
    assert fitted["temperature"] != release._calibration(logits, split)["temperature"]


def test_figures_are_those_of_the_file(here, capsys):
    for tta, view in (("none", "plain"), ("flip", "flip")):
        words = [
            "evaluate",
            "-d",
            "data",
            "--checkpoint",
            "released/mine.keras",
            "--tta",
            tta,
            "--json",
            "out.json",
        ]
        assert main(words) == 0
        measured, stored = (
            json.loads((here / name).read_text()) for name in ("out.json", "released/mine.json")
        )
        for key in (
            "accuracy",
            "accuracy_interval",
            "accuracy_clean",
            "expected_calibration_error",
            "per_class",
        ):
            assert measured[key] == stored[view][key], key
        card = (here / "released/mine.md").read_text()
        low, high = measured["accuracy_interval"]
        assert f"{measured['accuracy']:.2%} [{low:.2%}, {high:.2%}]" in card
        assert low <= measured["accuracy"] <= high


def test_the_card_contains_the_required_facts(here):
    card = (here / "released/mine.md").read_text()
    for words in (
        "FER2013",
        "PrivateTest was not used",
        "learning_rate",
        "seed",
        "commit",
        "Not for",
        "Temperature",
        "license",
    ):
        assert words in card, words
    assert "FER+" not in card  # this run had no votes
    assert "--weights mine.keras" in card


def test_the_card_of_a_second_step_describes_the_first_too(here):
    """The first step's training targets, such as FER+ votes, count for the second too."""
    words = [
        "train",
        "-d",
        "data",
        "--run",
        "runs/two",
        *QUICK,
        "--init_from",
        "runs/first/best.keras",
        "--epochs",
        "1",
    ]
    assert main([*words, "--learning_rate", "0.0005"]) == 0
    assert main(["release", "-d", "data", "--run", "runs/two", "--name", "two"]) == 0
    card = (here / "released/two.md").read_text()
    first, second = card.index("## Training, step 1 of 2"), card.index("## Training, step 2 of 2")
    assert "| how: learning_rate | 0.002" in card[first:second]
    assert "| how: learning_rate | 0.0005" in card[second:]
    record = json.loads((here / "runs/first/recipe.json").read_text())
    voted = {**record, "recipe": {**record["recipe"], "vote_weight": 0.5}}
    (here / "runs/first/recipe.json").write_text(json.dumps(voted))
    try:
        assert main(["release", "-d", "data", "--run", "runs/two", "--name", "voted"]) == 0
    finally:
        (here / "runs/first/recipe.json").write_text(json.dumps(record))
    assert "**extra" in (here / "released/voted.md").read_text()


def test_the_last_weights_of_a_run_are_described_as_the_last(here):
    model = load_model(here / "runs/first/best.keras")
    epochs = {
        name: release.trainings_of(here / f"runs/first/{name}.keras", model)[0]["Trained"]["epoch"]
        for name in ("best", "last")
    }
    assert epochs["last"] == "2 of 2, the last"
    assert epochs["best"].endswith(" of 2, the best on val")


def test_full_precision_on_request(here):
    assert (
        main(
            [
                "release",
                "-d",
                "data",
                "--run",
                "runs/first",
                "--name",
                "whole",
                "--half",
                "False",
                "--to",
                "w",
            ]
        )
        == 0
    )
    assert {kind for kind, _ in stored_dtypes("w/whole.keras").values()} == {"float32"}
    assert "half precision" not in (here / "w/whole.md").read_text().split("## Data")[0]


def test_a_file_without_a_run_folder_is_released_and_its_card_says_so(here):
    model = load_model("runs/first/best.keras")
    model.save(here / "lonely.keras")
    assert main(["release", "-d", "data", "--checkpoint", "lonely.keras", "--name", "lonely"]) == 0
    assert "its training is unknown" in (here / "released/lonely.md").read_text()


def test_bad_names_and_choices_are_one_line(here, capsys):
    assert "--name a/b: not a file name" in fails(
        ["release", "-d", "data", "--run", "runs/first", "--name", "a/b"], capsys
    )
    both = [
        "release",
        "-d",
        "data",
        "--run",
        "runs/first",
        "--checkpoint",
        "x.keras",
        "--name",
        "a",
    ]
    assert "--checkpoint and --run: each names a model; give only one of them." in fails(
        both, capsys
    )


# ---- half precision


def test_halving_keeps_vectors_and_keras_loads_the_file(tmp_path):
    model = DeepEmotion("residual")
    path = tmp_path / "m.keras"
    model.save(path)
    halve(path)
    dtypes = stored_dtypes(path)
    assert {kind for kind, dimensions in dtypes.values() if dimensions > 1} == {"float16"}
    assert {kind for kind, dimensions in dtypes.values() if dimensions == 1} == {"float32"}
    loaded = keras.models.load_model(path)  # safe mode is Keras's default
    for before, after in zip(model.weights, loaded.weights, strict=True):
        expected = np.array(before).astype("float16") if before.ndim > 1 else np.array(before)
        np.testing.assert_array_equal(np.array(after), expected.astype("float32"))


def test_values_too_large_for_half_precision_are_refused_and_the_file_stays(tmp_path):
    model = DeepEmotion("paper")
    model.get_layer("logits").kernel.assign(model.get_layer("logits").kernel + 1e6)
    path = tmp_path / "m.keras"
    model.save(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="too large for float16"):
        halve(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.keras"]


# ---- weights by name


def test_shipped_weights_are_small_described_and_load():
    shipped = weights.shipped_weights()
    for name, path in shipped.items():
        assert path.stat().st_size <= 16e6
        figures = json.loads(path.with_suffix(".json").read_text())
        assert (figures["name"], figures["ships"]) == (name, True)
        assert figures["bytes"] == path.stat().st_size
        model = load_model(path, class_names=figures["data"]["class_names"])
        assert model.count_params() == figures["model"]["parameters"]
        card = path.with_suffix(".md").read_text()
        assert f"--weights {name}" in card
        assert f"{figures['flip']['accuracy']:.2%}" in card


def test_shipped_files_hold_layers_of_ours_and_of_keras_only():
    def modules(config):
        if isinstance(config, dict):
            if isinstance(config.get("module"), str):
                yield config["module"]
            for value in config.values():
                yield from modules(value)
        elif isinstance(config, list):
            for value in config:
                yield from modules(value)

    for path in weights.shipped_weights().values():
        with zipfile.ZipFile(path) as archive:
            assert set(archive.namelist()) == MEMBERS
            config = json.loads(archive.read("config.json"))
        assert {name.split(".")[0] for name in modules(config)} <= {
            "keras",
            "deep_emotion",
            "dan_tf",
        }
        assert not any("optimizer" in name for name in stored_dtypes(path))


def test_weights_by_name_are_evaluated(here, monkeypatch, capsys):
    monkeypatch.setattr(weights, "_folders", lambda: [here / "released"])
    words = ["evaluate", "-d", "data", "--weights", "mine", "--split", "test", "--tta", "flip"]
    assert main([*words, "--json", "by_name.json"]) == 0
    assert json.loads((here / "by_name.json").read_text())["checkpoint"].endswith("mine.keras")
    line = fails(["evaluate", "-d", "data", "--weights", "mime"], capsys)
    assert line.startswith(
        "error: --weights mime: no such weights, nearest known: mine; "
        "give a .keras file, or shipped weights: "
    )
    line = fails(["evaluate", "-d", "data", "--weights", "mine.keras"], capsys)
    assert line.startswith("error: --weights mine.keras: no such file; give a .keras file, or ")
    assert main(["verify", "--weights", "mine"]) == 0


# ---- the final exam, from outside


@pytest.mark.parametrize("usages", [("Training", "PrivateTest"), ("PrivateTest",)])
def test_a_test_split_is_measured_with_train_rows_beside_it_or_alone(
    here, monkeypatch, tmp_path, usages, capsys
):
    images = smooth_images(200)
    images[165], images[170] = images[3], images[4]
    rows = [k for k in range(200) if ("Training" if k < 160 else "PrivateTest") in usages]
    kept = ["Training" if k < 160 else "PrivateTest" for k in rows]
    write_icml_csv(
        tmp_path / "icml_face_data.csv", images[rows], kept, labels=[k % 7 for k in rows]
    )
    monkeypatch.setattr(weights, "_folders", lambda: [here / "released"])
    assert main(["setup", "-d", str(tmp_path)]) == 0
    words = [
        "evaluate",
        "--weights",
        "mine",
        "-d",
        str(tmp_path),
        "--split",
        "test",
        "--tta",
        "flip",
        "--json",
    ]
    assert main([*words, str(tmp_path / "out.json")]) == 0
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures["count"] == 40
    # All Training rows count as train rows, also those that set-up split off as val: the weights
    # were trained on them.
    assert figures["count_clean"] == (38 if "Training" in usages else None)
    assert (figures["accuracy_clean"] is None) == ("Training" not in usages)
    assert "None of these images was in the training data" in capsys.readouterr().out


def compile_copy(here, tmp_path):
    """Compile a copy of the release again; returns the exit code and NAME.tflite."""
    for file in (here / "released").glob("mine.*"):
        shutil.copy(file, tmp_path)
    words = ["--compile-only", "--weights", str(tmp_path / "mine.keras"), "-d", "data"]
    return main(["release", *words]), tmp_path / "mine.tflite"


def test_a_compiled_file_contains_the_card_without_figures_of_an_earlier_one(here, tmp_path):
    code, file = compile_copy(here, tmp_path)
    assert code == 0
    with zipfile.ZipFile(file) as archive:
        card = archive.read("model_card.md").decode()
    assert "## Calibration" in card
    assert "## Compiled file" not in card
    assert "## Compiled file" in file.with_suffix(".md").read_text()


def test_robustness_is_in_the_card_if_it_was_measured(here):
    words = ["release", "-d", "data", "--run", "runs/first", "--name", "robust"]
    assert main([*words, "--corruptions", "30", "--compiled", "False"]) == 0
    figures = json.loads((here / "released/robust.json").read_text())["robustness"]
    words = ["--weights", "released/robust.keras", "--corruptions", "30", "--json", "robust.json"]
    assert main(["evaluate", "-d", "data", *words]) == 0
    assert json.loads((here / "robust.json").read_text())["robustness"] == figures
    card = " ".join((here / "released/robust.md").read_text().split())
    assert "## Robustness One view of 30 images of the same split" in card
    assert f"{figures['relative_accuracy']:.1%} of the {figures['clean']['accuracy']:.1%}" in card
    assert "arXiv 1903.12261" in card
    levels = [f"{row['accuracy']:.1%}" for row in figures["corruptions"]["mouth_covered"]]
    assert f"| mouth covered | {levels[0]} | {levels[2]} | {levels[4]} |" in card
    assert "reduce its accuracy; the largest falls, from" in card
    plain = " ".join((here / "released/mine.md").read_text().split())
    assert "## Robustness" not in plain
    assert "reduce its accuracy; by how much has not been measured" in plain


@pytest.mark.slow
def test_robustness_is_added_to_a_release_and_stays(here, tmp_path):
    """Also in the card inside the compiled file; compiling again keeps it."""
    for file in (here / "released").glob("mine.*"):
        shutil.copy(file, tmp_path)
    again = ["release", "--compile-only", "-d", "data", "--weights", str(tmp_path / "mine.keras")]
    for words in (["--corruptions", "10"], []):
        assert main([*again, *words]) == 0
        figures = json.loads((tmp_path / "mine.json").read_text())
        assert figures["robustness"]["images"] == 10
        assert "## Robustness" in (tmp_path / "mine.md").read_text()
        with zipfile.ZipFile(tmp_path / "mine.tflite") as archive:
            assert "## Robustness" in archive.read("model_card.md").decode()


def test_kernels_are_float32_where_8_bits_disagree(here, tmp_path, monkeypatch):
    answers = iter([False, True])
    monkeypatch.setattr(compiled, "_agrees", lambda figures: next(answers))
    code, file = compile_copy(here, tmp_path)
    assert code == 0
    figures = json.loads(file.with_suffix(".json").read_text())["compiled"]
    assert figures["kernels"] == "float32"
    assert (
        figures["bytes"] == file.stat().st_size > 2 * (here / "released/mine.tflite").stat().st_size
    )


def test_a_file_that_never_agrees_is_not_written(here, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compiled, "_agrees", lambda figures: False)
    code, file = compile_copy(here, tmp_path)
    assert code == 2
    assert "mine.keras: the compiled file does not agree with Keras" in capsys.readouterr().err
    assert file.read_bytes() == (here / "released/mine.tflite").read_bytes()
    assert load_runtime(tmp_path / "mine.keras").name == "litert"
    for suffix in (".md", ".json"):
        unchanged = (here / f"released/mine{suffix}").read_bytes()
        assert file.with_suffix(suffix).read_bytes() == unchanged


# ---- releases of versions without a record of the training images


def without_record(path, start=0):
    """Rewrite a model file without its record; the archive begins after `start` bytes."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != TRAINED_ON}
    path.write_bytes(path.read_bytes()[:start])
    with zipfile.ZipFile(path, "a") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_the_record_is_added_to_an_older_release(here, tmp_path):
    for file in (here / "released").glob("mine.*"):
        shutil.copy(file, tmp_path)
    keras_file, compiled_file = tmp_path / "mine.keras", tmp_path / "mine.tflite"
    figures = json.loads((tmp_path / "mine.json").read_text())
    without_record(keras_file)
    without_record(compiled_file, len(read_compiled(compiled_file).model))
    for key in ("trained_on", "calibration_images"):
        del figures[key]
    (tmp_path / "mine.json").write_text(json.dumps(figures))
    script = ROOT / "benchmarks/accuracy/record_training.py"
    record_training = runpy.run_path(str(script))["main"]
    record_training(["data", str(keras_file)])
    for file in (keras_file, compiled_file):
        assert read_trained_on(file).to_text() == read_trained_on("runs/first/best.keras").to_text()
    added = json.loads((tmp_path / "mine.json").read_text())
    assert added["compiled"]["sha256"] == hashlib.sha256(compiled_file.read_bytes()).hexdigest()
    assert added["bytes"] == keras_file.stat().st_size
    assert added["trained_on"]["this_dataset"] is True
    assert added["plain"]["count_learned"] == 0
    assert "Trained on 336 images" in (tmp_path / "mine.md").read_text()
    assert load_runtime(keras_file).name == "litert"
    before = keras_file.read_bytes()
    record_training(["data", str(keras_file)])
    assert keras_file.read_bytes() == before
    figures["data"]["rows"]["train"] = 28709
    without_record(keras_file)
    (tmp_path / "mine.json").write_text(json.dumps(figures))
    with pytest.raises(SystemExit, match="was trained on 28,709 images, not on this dataset"):
        record_training(["data", str(keras_file)])
