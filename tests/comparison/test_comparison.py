"""The compare command on drawn faces.

Where the model does not matter, it is Deep-Emotion, whose step traces fastest.
"""

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from deep_emotion import DeepEmotion
from ferkit.cli import main
from ferkit.comparison import runner, speed
from ferkit.comparison.contestants import choose_contestants
from ferkit.comparison.plot import draw_comparison
from ferkit.comparison.speed import SPEED_BATCH
from ferkit.comparison.table import FRACTIONS, SPEEDS
from ferkit.errors import UserError
from ferkit.input_pipeline.dataset import load_split
from ferkit.input_pipeline.learned import image_hashes
from ferkit.models.multiply_adds import multiply_adds
from ferkit.models.trained_on import TrainedOn, write_trained_on
from ferkit.recipes.named import named_recipe
from ferkit.training.build_model import build_model
from ferkit.training.trainer import Trainer
from tests.support.command_line import ROOT

QUICK = ["-d", "data", "--epochs", "1", "--batch_size", "64"]
TWO_SEEDS = [
    "compare",
    *QUICK,
    "--models",
    "deep_emotion",
    "--recipe",
    "input_warp",
    "--seeds",
    "0",
    "1",
]
RUN_COLUMNS = ["contestant", "seed", "status", "epochs", "best_epoch", *FRACTIONS]
RUN_COLUMNS += ["val_images_learned", "run", "reason"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with a dataset in data/ and a comparison in finished/, and what that printed."""
    folder = tmp_path_factory.mktemp("workplace")
    before, printed = os.getcwd(), io.StringIO()
    os.chdir(folder)
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(speed, "SPEED_ROUNDS", 2)
        try:
            assert main(["setup", "--sample", "--sample-count", "140", "-d", "data"]) == 0
            assert main([*TWO_SEEDS, "--folder", "finished"]) == 0
        finally:
            os.chdir(before)
    return folder, printed.getvalue()


@pytest.fixture
def here(workplace, monkeypatch):
    monkeypatch.chdir(workplace[0])
    return workplace[0]


@pytest.fixture
def no_timing(monkeypatch):
    """The speed is not measured."""
    monkeypatch.setattr(
        runner,
        "measure_speed",
        lambda models, recipes: {name: dict.fromkeys(SPEEDS, 100.0) for name in models},
    )


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def fails(words, capsys):
    assert main(["compare", *words]) == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("error: ")
    assert "\n" not in message
    return message


# ---- a finished comparison


def test_the_files_contain_what_was_measured(here):
    runs, (row,) = rows_of("finished/runs.csv"), rows_of("finished/compare.csv")
    assert list(runs[0]) == RUN_COLUMNS
    assert [(run["contestant"], run["seed"], run["status"]) for run in runs] == [
        ("deep_emotion", s, "finished") for s in "01"
    ]
    for run in runs:
        last = rows_of(Path(run["run"]) / "history.csv")[-1]
        assert float(run["val_macro_f1"]) == pytest.approx(float(last["val_macro_f1"]))
    for key in FRACTIONS:
        values = [float(run[key]) for run in runs]
        assert float(row[key]) == pytest.approx(np.mean(values), abs=1e-6)
        assert float(row[f"{key}_spread"]) == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    assert (row["contestant"], row["recipe"], row["epochs"], row["runs"], row["failed"]) == (
        "deep_emotion",
        "input_warp",
        "1",
        "2",
        "0",
    )
    assert float(row["inference_images_per_second"]) > float(row["training_images_per_second"]) > 0
    assert float(row["multiply_adds_millions"]) > 1
    assert (
        int(row["parameters"])
        == keras.models.load_model("finished/deep_emotion-seed0/best.keras").count_params()
    )
    assert row["speed_batch_size"] == str(SPEED_BATCH)
    assert "cores" in row["machine"]
    assert (here / "finished/compare.png").stat().st_size > 10_000


def test_the_table_shows_mean_and_spread(workplace):
    row = rows_of(workplace[0] / "finished/compare.csv")[0]
    shown = workplace[1]
    titles = next(line for line in shown.splitlines() if line.startswith("contestant"))
    assert titles.split()[:5] == ["contestant", "accuracy", "%", "clean", "%"]
    assert (
        f"{float(row['val_accuracy']) * 100:.2f} ± {float(row['val_accuracy_spread']) * 100:.2f}"
        in shown
    )
    assert "mean ± sample standard deviation of 2 seeds" in shown
    assert f"batch {SPEED_BATCH} of random pixels" in shown


def test_a_run_equals_that_of_train(here):
    """The same recipe and seed give the same curve, alone or among others."""
    words = ["-m", "deep_emotion", "--recipe", "input_warp", "--seed", "1"]
    assert main(["train", *QUICK, *words, "--run", "alone"]) == 0
    alone, among = (
        rows_of(Path(name) / "history.csv")[0] for name in ("alone", "finished/deep_emotion-seed1")
    )
    assert {**alone, "images_per_second": ""} == {**among, "images_per_second": ""}


def test_a_second_call_trains_nothing(here, capsys, no_timing):
    def times():
        return {
            path: path.stat().st_mtime_ns
            for path in (here / "finished").rglob("*")
            if path.parent != here / "finished"
        }

    before = times()
    assert main([*TWO_SEEDS, "--folder", "finished"]) == 0
    assert main(["compare", "--folder", "finished"]) == 0
    assert times() == before
    assert "seed 0" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--epochs", "2"],
            "finished: contains a comparison whose deep_emotion has --epochs 1, and 2 was given",
        ),
        (["--dropout", "0.1"], "whose deep_emotion has --dropout 0.5, and 0.1 was given"),
        (["--seeds", "0", "2"], "a comparison of seeds 0 1, and 0 2 were given"),
        (
            ["--models", "dan", "deep_emotion"],
            "of contestants deep_emotion, and dan deep_emotion were given",
        ),
    ],
)
def test_other_settings_in_the_same_folder_are_refused(words, message, here, capsys):
    recipe = [] if "--models" in words else ["--models", "deep_emotion", "--recipe", "input_warp"]
    assert message in fails(
        [*QUICK, *recipe, "--seeds", "0", "1", *words, "--folder", "finished"], capsys
    )


def test_another_dataset_is_refused(here, capsys):
    assert main(["setup", "--sample", "--sample-count", "140", "--seed", "7", "-d", "data2"]) == 0
    capsys.readouterr()
    assert (
        "finished: contains a comparison on data as it was then, and data2 contains other rows"
        in fails(["-d", "data2", "--folder", "finished"], capsys)
    )


# ---- interrupted and failed


def test_after_kill_9_the_folder_alone_continues_it(here, no_timing):
    command = [sys.executable, str(ROOT / "main.py"), *TWO_SEEDS, "--folder", "killed"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    backup = here / "killed/deep_emotion-seed0/backup"
    deadline = time.monotonic() + 120
    while (
        not list(backup.glob("state-*")) and process.poll() is None and time.monotonic() < deadline
    ):
        time.sleep(0.02)
    assert process.poll() is None, "it finished before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    (here / "killed/deep_emotion-seed1").mkdir(exist_ok=True)
    (here / "killed/deep_emotion-seed1/.99999-recipe.json").write_text(
        "{"
    )  # as if killed while that was written
    assert main(["compare", "--folder", "killed"]) == 0
    finished, killed = (rows_of(f"{name}/runs.csv") for name in ("finished", "killed"))
    assert [run | {"run": ""} for run in killed] == [run | {"run": ""} for run in finished]


def test_ctrl_c_prints_how_to_resume(here, capsys, monkeypatch):
    monkeypatch.setattr("ferkit.training.trainer.Trainer.fit", lambda self: False)
    assert main([*TWO_SEEDS, "--folder", "stopped"]) == 130
    assert (
        "Resume it with: python main.py compare --folder stopped -d data" in capsys.readouterr().out
    )


def test_a_failed_run_is_recorded_and_the_others_are_trained(here, capsys, monkeypatch, no_timing):
    fit = Trainer.fit

    def fail_once(trainer):
        if trainer.recipe.seed == 0:
            raise UserError("training", "weights became NaN or infinite in epoch 1")
        return fit(trainer)

    monkeypatch.setattr(Trainer, "fit", fail_once)
    assert main([*TWO_SEEDS, "--folder", "failed"]) == 1
    shown = capsys.readouterr().out
    assert "deep_emotion (1 failed)" in shown
    assert "Failed: deep_emotion, seed 0: training: weights became NaN" in shown
    first, second = rows_of("failed/runs.csv")
    assert (first["status"], first["val_accuracy"], second["status"]) == ("failed", "", "finished")
    assert "weights became NaN" in first["reason"]
    assert rows_of("failed/compare.csv")[0]["val_accuracy_spread"] == ""  # one seed is left


def test_when_all_runs_fail_the_table_says_so(here, capsys, monkeypatch, no_timing):
    def fail(trainer):
        raise UserError("training", "the loss became nan")

    monkeypatch.setattr("ferkit.training.trainer.Trainer.fit", fail)
    assert main([*TWO_SEEDS, "--folder", "hopeless"]) == 1
    assert "deep_emotion (2 failed)" in capsys.readouterr().out
    assert rows_of("hopeless/compare.csv")[0]["val_accuracy"] == ""
    assert not (here / "hopeless/compare.png").exists()


def test_initial_weights_that_learned_validation_images_are_reported(here, capsys, no_timing):
    val = load_split("data", "val")
    DeepEmotion("input_warp").save("seen.keras")
    record = TrainedOn((), np.unique(image_hashes(val.images)), complete=True)
    write_trained_on("seen.keras", record)
    words = ["--models", "deep_emotion", "--recipe", "input_warp", "--init_from", "seen.keras"]
    assert main(["compare", *QUICK, *words, "--folder", "seen"]) == 0
    assert "trained on validation images: deep_emotion." in capsys.readouterr().out
    (run,) = rows_of("seen/runs.csv")
    assert (run["val_images_learned"], run["val_accuracy_clean"]) == (str(len(val)), "")
    assert rows_of("finished/runs.csv")[0]["val_images_learned"] == "0"


# ---- contestants


def choose(backbones=None, ablate=None, models=None, **changes):
    return choose_contestants(
        lambda model: named_recipe(model, None, **changes),
        backbones=backbones,
        ablate=ablate,
        models=models,
    )


def test_backbones_and_ablations_multiply():
    names = list(choose(["convnext_atto", "resnet18"], ["heads"]))
    assert names == [
        f"{backbone}-{part}"
        for backbone in ("convnext_atto", "resnet18")
        for part in ("full", "no-heads", "plain")
    ]
    assert list(choose(ablate=["affinity"])) == ["full", "no-affinity", "plain"]
    assert "plain" not in choose(ablate=["heads"], affinity_weight=0.0)  # it would equal no-heads


def test_ablations_reach_the_models():
    terms = {
        "full": {"affinity", "partition"},
        "no-heads": {"affinity"},
        "no-partition": {"affinity"},
    }
    terms |= {"no-affinity": {"partition"}, "plain": set()}
    contestants = choose(ablate=["heads", "partition", "affinity"], stem_stride=4, num_heads=2)
    assert set(contestants) == set(terms)
    for name, recipe in contestants.items():
        model = build_model(recipe, (48, 48, 1), ("angry", "happy"))
        assert model.num_heads == (0 if name in ("no-heads", "plain") else 2)
        assert set(model.for_training().terms) == terms[name]
        assert model.stem_stride == 4


@pytest.mark.slow
def test_a_backbone_of_dan_is_trained(here, no_timing):
    words = [
        "--backbones",
        "convnext_atto",
        "--stem_stride",
        "4",
        "--num_heads",
        "1",
        "--folder",
        "dan",
    ]
    assert main(["compare", *QUICK, *words]) == 0
    recipe = json.loads((here / "dan/convnext_atto-seed0/recipe.json").read_text())["recipe"]
    assert recipe["model"] == "dan"
    assert (
        recipe["model_options"].items()
        >= {"backbone": "convnext_atto", "stem_stride": 4, "num_heads": 1}.items()
    )
    (row,) = rows_of("dan/compare.csv")
    assert (row["model"], row["val_accuracy_spread"]) == ("dan", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "compare: no contestants; name some with --backbones, --ablate or --models"),
        (
            ["--backbones", "vgg"],
            "--backbones vgg: unknown; choose from convnext_face, convnext_atto, ",
        ),
        (["--ablate", "wings"], "--ablate wings: unknown; choose from heads, partition, affinity."),
        (["--ablate", "heads", "heads"], "--ablate: heads is given twice"),
        (
            ["--ablate", "partition", "--partition_weight", "0"],
            "--ablate partition: changes nothing",
        ),
        (
            ["-m", "deep_emotion", "--ablate", "heads"],
            "--ablate: model deep_emotion has no parts to leave out",
        ),
        (
            ["-m", "deep_emotion", "--backbones", "resnet18"],
            "--backbones: model deep_emotion has no choice of backbones",
        ),
        (
            ["--backbones", "resnet18", "--backbone", "resnet18"],
            "--backbone resnet18: does not go with --backbones",
        ),
        (
            ["--models", "dan", "--ablate", "heads"],
            "--models: does not go with --model, --backbones or --ablate",
        ),
        (["--models", "vgg"], "invalid choice: 'vgg'"),
        (["--models", "deep_emotion", "--seeds", "1", "2", "1"], "--seeds: 1 is given twice"),
        (["--models", "deep_emotion", "--seeds", "-1"], "--seed -1: out of range"),
        (["--models", "deep_emotion", "--seed", "1"], "unrecognized arguments: --seed 1"),
        (
            ["--models", "deep_emotion", "--epochs", "0"],
            "--epochs 0: out of range; give a number at least 1",
        ),
        (["--models", "deep_emotion", "--batch_size", "5000"], "larger than the dataset's"),
        (
            ["--models", "deep_emotion", "--stem_stride", "2"],
            "--stem_stride: not an option of model deep_emotion",
        ),
        (
            ["--backbones", "resnet18", "--num_heads", "-1"],
            "Received: num_heads=-1",
        ),
        (
            ["--backbones", "resnet18", "--folder", "finished/deep_emotion-seed0"],
            "is the folder of a single run",
        ),
        (
            ["--backbones", "resnet18", "--folder", "data"],
            "data: exists and contains no comparison; choose another --folder",
        ),
        (
            ["--backbones", "resnet18", "--folder", "data/manifest.csv"],
            "manifest.csv: exists and contains no comparison",
        ),
    ],
)
def test_wrong_values_are_one_line_and_leave_nothing(words, message, here, capsys):
    before = sorted(here.iterdir())
    assert message in fails(["-d", "data", *words], capsys)
    assert sorted(here.iterdir()) == before


def test_a_damaged_record_is_one_line(here, capsys):
    (here / "damaged").mkdir()
    (here / "damaged/compare.json").write_text('{"contestants": ')
    assert "damaged/compare.json: cannot be read" in fails(
        ["-d", "data", "--folder", "damaged"], capsys
    )


# ---- multiply-adds, and the plot


def test_multiply_adds_by_hand():
    pixels = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(
        pixels
    )  # 8*8*4 values of 3*3*3 products
    x = keras.layers.DepthwiseConv2D(3, strides=2, padding="same")(x)  # 4*4*4 values of 3*3
    x = keras.layers.Conv2D(6, 1, groups=2)(x)  # 4*4*6 values of 2: half of the channels
    x = keras.layers.Dense(5)(keras.layers.Flatten()(x))  # 5 values of 4*4*6
    expected = 8 * 8 * 4 * 27 + 4 * 4 * 4 * 9 + 4 * 4 * 6 * 2 + 5 * 96
    assert multiply_adds(keras.Model(pixels, x)) == expected


def test_multiply_adds_of_attention_and_within_functions():
    class Called(keras.layers.Layer):
        def call(self, x):
            return tf.function(lambda y: tf.matmul(y, y, transpose_a=True))(x)

    pixels = keras.Input((6, 4))
    x = keras.layers.EinsumDense("abc,cd->abd", output_shape=(None, 4))(pixels)  # 6*4 values of 4
    assert multiply_adds(keras.Model(pixels, Called()(x))) == 6 * 4 * 4 + 4 * 4 * 6


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_names_in_the_plot_do_not_overlap(seeds):
    names = [
        f"{backbone}-{part}"
        for backbone in ("convnext_atto", "resnet18")
        for part in ("full", "no-heads", "no-affinity", "plain")
    ]
    rows, results, numbers = [], [], np.random.default_rng(0)
    for name in names:
        history = [
            {"epoch": epoch, "val_accuracy": numbers.uniform(0.4, 0.5)} for epoch in range(1, 4)
        ]
        results += [{"contestant": name, "history": history}] * seeds
        spread = 0.01 if seeds > 1 else None
        row = {
            "contestant": name,
            "val_accuracy": history[-1]["val_accuracy"],
            "val_accuracy_spread": spread,
        }
        rows.append(row | {"inference_images_per_second": numbers.uniform(400, 500)})
    figure = draw_comparison(rows, results)
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == len(names)
    assert not any(box.overlaps(other) for k, box in enumerate(boxes) for other in boxes[:k])
    assert len(figure.axes[1].lines) == len(names) * seeds
