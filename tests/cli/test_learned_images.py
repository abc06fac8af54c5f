"""Weights measured on images that they have learned: every command that prints a figure says so.

The weights were trained on the rows that the source calls Training; the dataset is in the layout of
Kaggle's competition, where set-up draws val from these same rows.
"""

import csv
import json
import shutil

import pytest

from ferkit.cli import main
from ferkit.models.trained_on import read_trained_on
from tests.support.command_line import QUICK

LEARNED = "42 of 42 images were in the training data of these weights: these figures are not those"
MODEL = ["--run", "runs/first"]


@pytest.fixture(scope="module")
def competition(workplace):
    """The dataset in competition/: its 336 rows are the train rows of data/."""
    with open(workplace / "data/fer2013.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Usage"] == "Training"]
    folder = workplace / "competition"
    folder.mkdir()
    with open(folder / "train.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("emotion", "pixels"), *((r["emotion"], r["pixels"]) for r in rows)])
    assert main(["setup", "-d", str(folder)]) == 0
    return "competition"


def test_evaluate_says_it_on_the_screen_in_json_and_in_the_report(here, competition, capsys):
    words = ["evaluate", "-d", competition, *MODEL, "--json", "seen.json", "--report", "seen"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert LEARNED in printed
    assert "literature" not in printed
    assert "0 images that were not learned, without duplicates" in printed
    figures = json.loads((here / "seen.json").read_text())
    assert (figures["count"], figures["count_learned"]) == (42, 42)
    assert (figures["accuracy_clean"], figures["comparable_with_literature"]) == (None, False)
    assert LEARNED in (here / "seen/index.html").read_text()


def test_new_images_and_weights_without_a_record_are_told_apart(here, competition, capsys):
    assert main(["evaluate", "-d", "data", *MODEL]) == 0
    assert "None of these images was in the training data" in capsys.readouterr().out
    assert main(["evaluate", "-d", competition, "--weights", "deep_emotion_paper-fer2013"]) == 0
    assert "None of these images was in the training data" in capsys.readouterr().out
    from deep_emotion import DeepEmotion

    DeepEmotion("input_warp").save(here / "older.keras")
    assert main(["evaluate", "-d", competition, "--weights", "older.keras"]) == 0
    assert "Unknown: the training images of these weights are not" in capsys.readouterr().out


@pytest.mark.parametrize(("file_format", "suffix"), [("litert", ".tflite"), ("onnx", ".onnx")])
def test_an_exported_file_says_it_too(here, competition, capsys, tmp_path, file_format, suffix):
    file = str(tmp_path / f"seen{suffix}")
    words = ["--format", file_format, "--output", file, "-d", competition]
    assert main(["export", *MODEL, *words]) == 0
    assert LEARNED in capsys.readouterr().out
    assert main(["evaluate", "-d", competition, "--weights", file]) == 0
    assert LEARNED in capsys.readouterr().out


def test_verify_says_what_the_weights_were_trained_on(here, capsys):
    assert main(["verify", *MODEL]) == 0
    assert "training data: fer2013 train (336 images)" in capsys.readouterr().out


def test_a_release_does_not_claim_another_dataset_and_fits_no_temperature(
    here, competition, capsys, tmp_path
):
    shutil.copy(here / "runs/first/best.keras", tmp_path / "found.keras")
    words = ["--weights", str(tmp_path / "found.keras"), "--name", "seen", "--to", str(tmp_path)]
    assert main(["release", "-d", competition, *words, "--compiled", "False"]) == 0
    printed = capsys.readouterr().out
    assert LEARNED in printed
    assert "No temperature was fitted: the split has only 0 images" in printed
    card = " ".join((tmp_path / "seen.md").read_text().split())
    assert LEARNED in card
    assert "Temperature 1: no temperature was fitted" in card
    assert "Training data of these weights: fer2013 train (336 images)." in card
    assert "Trained on 294 images" not in card
    assert json.loads((tmp_path / "seen.json").read_text())["temperature"] == 1.0
    assert read_trained_on(tmp_path / "seen.keras").describe() == "fer2013 train (336 images)"


@pytest.mark.parametrize("flag", ["--init_from", "--teacher"])
def test_initial_weights_and_teachers_hand_their_record_on(here, competition, capsys, flag):
    run = f"runs/by{flag.strip('-')}"
    words = ["train", "-d", competition, "--run", run, *QUICK, "--epochs", "1"]
    assert main([*words, flag, "runs/first/best.keras"]) == 0
    printed = capsys.readouterr()
    warning = "were trained on 42 of the 42 validation images: the validation figures are not"
    assert warning in printed.out + printed.err
    assert LEARNED in printed.out
    assert LEARNED in (here / run / "report/index.html").read_text()
    record = read_trained_on(here / run / "best.keras")
    assert record.describe() == "fer2013 train (294 images) and fer2013 train (336 images)"
    about = json.loads((here / run / "recipe.json").read_text())["trained_on"]
    assert (about["val_images_learned"], about["images"], about["complete"]) == (42, 336, True)
    assert (here / run / "history.csv").read_text().splitlines()[1].count(",,") == 1  # no clean
    assert main(["runs", run]) == 0
    assert f"trained on validation images: {run.split('/')[1]}." in capsys.readouterr().out


def test_a_model_fine_tuned_from_released_weights_has_their_record_on_its_card(
    here, capsys, tmp_path
):
    run = str(tmp_path / "tuned")
    words = ["train", "-d", "data", "--run", run, "--recipe", "paper_best", "--epochs", "1"]
    words += ["--teacher", "", "--init_from", "deep_emotion_paper-fer2013", "--branches", "0"]
    assert main(words) == 0
    released = ["release", "-d", "data", "--run", run, "--name", "tuned", "--to", str(tmp_path)]
    assert main([*released, "--compiled", "False"]) == 0
    card = " ".join((tmp_path / "tuned.md").read_text().split())
    assert "training is unknown" not in card
    assert "## Training, step 1 of 2 | | | | --- | --- | | trained: model | deep_emotion |" in card
    assert "main.py train -d data --run runs/paper-2 --resume --recipe paper_best" in card
    assert "fer2013 train (336 images) and fer2013 train (28,709 images)" in card
    assert "The dataset was collected for research" in card
