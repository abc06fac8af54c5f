"""Evaluating a trained model from the command line."""

import json

import numpy as np
import pytest

from ferkit.cli import main
from ferkit.models.shipped_weights import model_file
from tests.support.command_line import fails

JSON_KEYS = {"split", "count", "accuracy", "accuracy_clean", "balanced_accuracy", "macro_f1"}
JSON_KEYS |= {"expected_calibration_error", "per_class", "confusion", "accuracy_clean_exact"}


def test_evaluate_writes_json_and_a_report(here, capsys):
    words = ["evaluate", "-d", "data", "--run", "runs/first", "--split", "test", "--json"]
    words += ["test.json", "--report", "page"]
    assert main(words) == 0
    figures = json.loads((here / "test.json").read_text())
    assert set(figures) >= JSON_KEYS
    confusion = np.array(figures["confusion"])
    assert confusion.sum() == figures["count"]
    assert figures["accuracy"] == pytest.approx(np.trace(confusion) / figures["count"])
    assert f"{figures['accuracy']:.2%}" in capsys.readouterr().out
    page = (here / "page/index.html").read_text()
    for picture in ("confusion.png", "per_class.png", "calibration.png", "curves.png"):
        assert (here / "page" / picture).stat().st_size > 5000
        assert picture in page
    assert f"{figures['accuracy']:.2%}" in page


def test_evaluate_agrees_with_the_training_run(here):
    assert main(["evaluate", "-d", "data", "--run", "runs/first", "--json", "val.json"]) == 0
    lines = (here / "runs/first/history.csv").read_text().splitlines()
    column = lines[0].split(",").index("val_accuracy")
    best = max(float(line.split(",")[column]) for line in lines[1:])
    assert json.loads((here / "val.json").read_text())["accuracy"] == pytest.approx(best, abs=1e-6)


def test_mirror_averaging_is_the_mean_of_both(here):
    for name, extra in (("plain", []), ("tta", ["--tta"])):
        assert (
            main(
                ["evaluate", "-d", "data", "--run", "runs/first", "--json", f"{name}.json", *extra]
            )
            == 0
        )
    plain, tta = (json.loads((here / f"{name}.json").read_text()) for name in ("plain", "tta"))
    assert (plain["tta"], tta["tta"]) == ("none", "flip")
    assert plain["loss"] != tta["loss"]


def test_a_submission_has_a_row_for_each_unlabelled_image(here, tmp_path):
    lines = (here / "data/fer2013.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.csv").write_text(
        "emotion,pixels\n" + "\n".join(f"{row[0]},{row[1]}" for row in rows[:300]) + "\n"
    )
    (data / "test.csv").write_text("pixels\n" + "\n".join(row[1] for row in rows[300:]) + "\n")
    assert main(["setup", "-d", str(data)]) == 0
    out = tmp_path / "submission.csv"
    assert main(["evaluate", "-d", str(data), "--run", "runs/first", "--submission", str(out)]) == 0
    written = out.read_text().splitlines()
    assert written[0] == "row,emotion,name"
    assert [int(line.split(",")[0]) for line in written[1:]] == list(range(len(rows) - 300))
    assert {int(line.split(",")[1]) for line in written[1:]} <= set(range(7))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--checkpoint", "none.keras"], "none.keras: no such file"),
        (["--run", "nowhere"], "nowhere: contains no run (no recipe.json)"),
        (["--split", "holiday"], "holiday"),
        (["--batch_size", "0"], "--batch_size 0: out of range"),
    ],
)
def test_wrong_evaluation_values_are_one_line(words, message, here, capsys):
    run = [] if "--checkpoint" in words else ["--run", "runs/first"]
    assert message in fails(["evaluate", "-d", "data", *run, *words], capsys)


def test_damaged_and_foreign_checkpoints_are_one_line(here, capsys):
    import keras

    whole = (here / "runs/first/best.keras").read_bytes()
    (here / "short.keras").write_bytes(whole[: len(whole) // 2])
    assert "not a complete .keras file" in fails(
        ["evaluate", "-d", "data", "--checkpoint", "short.keras"], capsys
    )
    damaged = bytearray(whole)
    for place in range(2000, len(whole) - 2000, 50):
        damaged[place] ^= 0x55
    (here / "damaged.keras").write_bytes(bytes(damaged))
    assert "damaged.keras" in fails(
        ["evaluate", "-d", "data", "--checkpoint", "damaged.keras"], capsys
    )
    keras.Sequential(
        [keras.Input((48, 48, 1)), keras.layers.Flatten(), keras.layers.Dense(7)]
    ).save("foreign.keras")
    assert "was not made by this program" in fails(
        ["evaluate", "-d", "data", "--checkpoint", "foreign.keras"], capsys
    )


def test_a_model_with_other_classes_is_refused(here, capsys):
    from deep_emotion import DeepEmotion

    DeepEmotion("input_warp", class_names=("calm", "cross")).save("other.keras")
    message = fails(["evaluate", "-d", "data", "--checkpoint", "other.keras"], capsys)
    assert "the model has the classes calm, cross, and the dataset has angry, disgust" in message


@pytest.mark.parametrize(("file_format", "suffix"), [("litert", ".tflite"), ("onnx", ".onnx")])
def test_a_compiled_file_is_measured_like_the_model(here, tmp_path, file_format, suffix):
    file = str(tmp_path / f"net{suffix}")
    words = ["--run", "runs/first", "--format", file_format, "--output", file]
    assert main(["export", *words]) == 0
    for name, model in (("keras", ["--run", "runs/first"]), ("compiled", ["--weights", file])):
        words = ["--tta", "ten-crop", "--json", str(tmp_path / name)]
        assert main(["evaluate", "-d", "data", *model, *words]) == 0
    keras, compiled = (json.loads((tmp_path / name).read_text()) for name in ("keras", "compiled"))
    assert compiled["count"] == keras["count"]
    assert compiled["accuracy"] == pytest.approx(keras["accuracy"], abs=0.05)
    assert compiled["loss"] == pytest.approx(keras["loss"], abs=0.02)  # pixels are rounded
    report = ["--report", str(tmp_path / "page")]
    assert main(["evaluate", "-d", "data", "--weights", file, *report]) == 0
    assert (tmp_path / "page/index.html").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ["verify"],
        ["export", "--format", "savedmodel", "--output", "saved"],
        ["release", "-d", "data", "--name", "mine"],
        ["explain", "-d", "data", "--split", "val"],
    ],
    ids=lambda words: words[0],
)
def test_what_needs_the_keras_model_says_so(here, capsys, words):
    compiled = str(model_file("deep_emotion_paper-fer2013").with_suffix(".tflite"))
    line = fails([*words, "--weights", compiled], capsys)
    assert "a compiled model; this needs the Keras model; give the .keras file" in line
