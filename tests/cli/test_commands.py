"""The command line as a user types it, on drawn faces: one small dataset and one short run serve most tests."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ferkit.cli.arguments import main
from ferkit.cli.help_texts import SUMMARIES

ROOT = Path(__file__).resolve().parents[2]
QUICK = [
    "--recipe",
    "input_warp",
    "--epochs",
    "2",
    "--batch_size",
    "64",
    "--learning_rate",
    "0.002",
]


def workplace_in(folder, *commands):
    """The folder, with a set-up dataset in data/ and a finished run in runs/first, and after further commands there."""
    setup = ["setup", "--sample", "--sample-count", "420", "-d", "data"]
    before = os.getcwd()
    os.chdir(folder)
    try:
        for command in (setup, ["train", "-d", "data", "--run", "runs/first", *QUICK], *commands):
            assert main(command) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    return workplace_in(tmp_path_factory.mktemp("workplace"))


@pytest.fixture
def here(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    return workplace


def fails(arguments, capsys):
    """The one line of a user error."""
    assert main(arguments) == 2
    captured = capsys.readouterr().err
    lines = [line for line in captured.split("\r")[-1].splitlines() if line.strip()]
    assert "Traceback" not in captured
    assert lines[0].lstrip().startswith("error: ")
    return " ".join(lines)


# ---- help ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [[], *([name] for name in SUMMARIES)])
def test_help_shows_examples_and_loads_nothing_heavy(words):
    code = (
        "import sys, runpy; sys.argv = ['main.py', *sys.argv[1:]]\n"
        "try: runpy.run_path('main.py', run_name='__main__')\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'pandas', 'cv2', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "python main.py" in done.stdout
    assert "example" in done.stdout or "short form" in done.stdout


def test_no_arguments_show_the_help(capsys):
    assert main([]) == 0
    assert "python main.py -s True -d data" in capsys.readouterr().out


# ---- the short form -----------------------------------------------------------------------------------------------------


def test_booleans_mean_what_they_say(capsys, tmp_path):
    assert "nothing to do" in fails(["-s", "False", "-t", "False", "-d", str(tmp_path)], capsys)
    assert "nothing to do" in fails(["-hparams", "True"], capsys)
    assert "expected True or False, received 'perhaps'" in fails(["-t", "perhaps"], capsys)


def test_the_three_commands(here, capsys, tmp_path):
    """As the README has them, on a copy of the Kaggle file of the drawn faces."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "fer2013.csv").write_bytes((here / "data" / "fer2013.csv").read_bytes())
    assert main(["-s", "True", "-d", str(data)]) == 0
    assert "Took fer2013.csv" in capsys.readouterr().out
    run = ["--run", str(tmp_path / "run")]
    assert (
        main(
            [
                "-t",
                "True",
                "-d",
                str(data),
                "-hparams",
                "True",
                "-e",
                "1",
                "-lr",
                "0.005",
                "-bs",
                "32",
                *run,
            ]
        )
        == 0
    )
    recipe = json.loads((tmp_path / "run" / "recipe.json").read_text())["recipe"]
    assert (recipe["name"], recipe["epochs"], recipe["learning_rate"], recipe["batch_size"]) == (
        "paper",
        1,
        0.005,
        32,
    )
    run = ["--run", str(tmp_path / "both")]
    assert (
        main(
            [
                "-s",
                "True",
                "-t",
                "True",
                "-d",
                str(data),
                "--hyperparams",
                "False",
                "--epochs",
                "1",
                *run,
            ]
        )
        == 0
    )
    assert json.loads((tmp_path / "both" / "recipe.json").read_text())["recipe"]["epochs"] == 1


# ---- training -----------------------------------------------------------------------------------------------------------


def test_a_run_folder_holds_what_a_number_needs(here):
    record = json.loads((here / "runs/first/recipe.json").read_text())
    assert record["recipe"]["model_options"]["variant"] == "input_warp"
    assert record["recipe"]["seed"] == 0
    assert record["dataset"]["rows"]["train"] > 300
    assert len(record["dataset"]["rows_sha256"]) == 64
    assert set(record["made_with"]) >= {"command", "commit", "packages", "python"}
    names = (
        "best.keras",
        "last.keras",
        "history.csv",
        "backup/state-000002-00000000.npz",
        "report/index.html",
    )
    for name in (*names, "report/curves.png"):
        assert (here / "runs/first" / name).stat().st_size > 100


def test_a_run_is_not_overwritten_and_a_finished_one_resumes_without_error(here, capsys):
    assert "holds a run already; add --resume" in fails(
        ["train", "-d", "data", "--run", "runs/first", *QUICK], capsys
    )
    history = (here / "runs/first/history.csv").read_text()
    assert main(["train", "--resume", "-d", "data", "--run", "runs/first"]) == 0
    assert "runs/first: finished already, 2 epochs, the best" in capsys.readouterr().out
    assert (here / "runs/first/history.csv").read_text() == history


def test_resuming_where_nothing_is_starts_a_run_and_its_recipe_file_repeats_it(here, capsys):
    recipe = ["--recipe", "runs/first/recipe.json"]
    (here / "runs/again").mkdir()
    (here / "runs/again/.12345-recipe.json").write_text("{")  # as if killed while that was written
    assert (
        main(["train", "--resume", "-d", "data", "--run", "runs/again", *recipe, "--tensorboard"])
        == 0
    )
    assert "Nothing to resume yet: a new run." in capsys.readouterr().out
    first, again = (
        (here / "runs" / name / "history.csv").read_text().splitlines()
        for name in ("first", "again")
    )
    assert [line.rsplit(",", 1)[0] for line in first] == [line.rsplit(",", 1)[0] for line in again]
    assert (here / "runs/first/report/figures.json").read_text() == (
        here / "runs/again/report/figures.json"
    ).read_text()
    assert len(list((here / "runs/again/tensorboard").iterdir())) == 1
    assert "rotation" not in (page := (here / "runs/again/report/index.html").read_text())
    assert "66,897" in page
    assert "What the model looks at" in page
    assert "a recipe of model deep_emotion, and --model dan" in fails(
        ["train", "-d", "data", "-m", "dan", *recipe], capsys
    )
    assert "no such file; give a run's recipe.json" in fails(
        ["train", "-d", "data", "--recipe", "none.json"], capsys
    )


def test_two_processes_cannot_train_in_one_folder(here, capsys):
    from ferkit.training.run_folder import RunFolder

    with RunFolder("runs/first").in_use():
        message = fails(
            ["train", "--resume", "-d", "data", "--run", "runs/first", "--epochs", "3"], capsys
        )
    assert "runs/first: another process is training in this folder" in message


def test_resuming_with_more_epochs_goes_on(here, capsys):
    assert main(["train", "-d", "data", "--run", "runs/more", *QUICK, "--epochs", "1"]) == 0
    assert main(["train", "--resume", "-d", "data", "--run", "runs/more", "--epochs", "2"]) == 0
    assert "Epochs: 2 instead of the 1" in capsys.readouterr().out
    first, more = (
        (here / "runs" / name / "history.csv").read_text().splitlines()
        for name in ("first", "more")
    )
    assert [line.rsplit(",", 1)[0] for line in first] == [line.rsplit(",", 1)[0] for line in more]


def test_resuming_as_something_else_is_refused(here, capsys, tmp_path):
    resume = ["train", "--resume", "-d", "data", "--run", "runs/first"]
    assert "runs with --learning_rate 0.002, and 0.1 was given" in fails(
        [*resume, "--learning_rate", "0.1"], capsys
    )
    assert "runs with --dropout 0.5, and 0.1 was given" in fails(
        [*resume, "--dropout", "0.1"], capsys
    )
    assert "a run of recipe input_warp, and --recipe paper was given" in fails(
        [*resume, "--recipe", "paper"], capsys
    )
    assert (
        main(["setup", "--sample", "--sample-count", "420", "--seed", "5", "-d", str(tmp_path)])
        == 0
    )
    resume = ["train", "--resume", "-d", str(tmp_path), "--run", "runs/first"]
    message = fails(resume, capsys)
    assert re.search(
        r"336 train, .*of 7 classes; not the dataset that runs/first was started on, .*336 train, ",
        message,
    )


def test_kill_9_and_resume_continue_the_same_curve(here):
    """A real process, killed for real after its first epoch."""
    command = [
        sys.executable,
        str(ROOT / "main.py"),
        "train",
        "-d",
        "data",
        "--run",
        "runs/killed",
        *QUICK,
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    backup = here / "runs/killed/backup"
    deadline = time.monotonic() + 120
    while (
        not list(backup.glob("state-*")) and process.poll() is None and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    assert process.poll() is None, "it finished before it could be killed"
    process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.wait(timeout=30)
    assert main(["train", "--resume", "-d", "data", "--run", "runs/killed"]) == 0
    first, killed = (
        (here / "runs" / name / "history.csv").read_text().splitlines()
        for name in ("first", "killed")
    )
    assert [line.rsplit(",", 1)[0] for line in first] == [line.rsplit(",", 1)[0] for line in killed]
    assert not list((here / "runs/killed").rglob(".*")), "drafts were left behind"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--learning_rate", "0"], "--learning_rate 0.0: out of range"),
        (["--batch_size", "0"], "--batch_size 0: out of range"),
        (["--batch_size", "5000"], "larger than the dataset's 336 train rows; give at most 336"),
        (["--epochs", "five"], "argument -e/--epochs: invalid int value: 'five'"),
        (
            ["--recipe", "best-ever"],
            "--recipe best-ever: model deep_emotion has no such recipe; it has: paper, input_warp",
        ),
        (["--dropout", "1.5"], "Expected `dropout` to be in [0, 1). Received: dropout=1.5"),
        (["--wings", "2"], "unrecognized arguments: --wings 2"),
        (
            ["--learing_rate", "2"],
            "unrecognized arguments: --learing_rate 2, nearest known: --learning_rate. See",
        ),
        (
            ["--optimizer", "adamw"],
            "--optimizer adamw: is adam with --weight_decay, and that is 0; give one",
        ),
        (
            ["--weight_decay", "0.1", "--l2", "0.1"],
            "--weight_decay 0.1 and --l2 0.1: two kinds of the same decay",
        ),
        (
            ["--vote_weight", "1"],
            "--vote_weight: the dataset has no FER+ votes; run setup again with --ferplus",
        ),
        (["--devices", "2"], "--devices 2: goes with --strategy mirrored only"),
        (
            ["--strategy", "multiworker"],
            "TF_CONFIG: not set, and --strategy multiworker needs it on every machine",
        ),
        (["--checkpoint_seconds", "-1"], "expected seconds, 0 or more, received '-1'"),
        (
            ["--accumulate_steps", "200"],
            "--batch_size 128: fewer than one image for each of 1 devices in 200 parts; give at least 200",
        ),
        (["-m", "vgg"], "invalid choice: 'vgg'"),
    ],
)
def test_wrong_training_values_are_one_line(words, message, here, capsys):
    assert message in fails(["train", "-d", "data", *words], capsys)


def test_a_flag_of_another_command_is_not_suggested(here, capsys):
    line = fails(["explain", "photo.jpg", "--output", "here"], capsys)
    assert line.strip().endswith(
        "unrecognized arguments: --output here. See: python main.py explain --help"
    )
    assert ", nearest known: --margin. See: python main.py predict" in fails(
        ["predict", "photo.jpg", "--margn", "1"], capsys
    )


def test_training_without_a_dataset_says_how_to_get_one(here, capsys, tmp_path):
    assert "main.py -s True -d" in fails(["-t", "True", "-d", str(tmp_path)], capsys)


def test_a_folder_that_cannot_be_written_is_one_line(here, capsys, monkeypatch):
    def refuse(source, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ferkit.files.os.replace", refuse)
    message = fails(["train", "-d", "data", "--run", "runs/refused", *QUICK], capsys)
    assert "runs/refused/recipe.json: no permission to write there" in message


def test_a_full_disk_in_training_is_one_line_and_loses_nothing(here, capsys, monkeypatch):
    real = os.replace

    def fill(source, target):
        if "state-" in str(target):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr("ferkit.files.os.replace", fill)
    message = fails(["train", "-d", "data", "--run", "runs/full", *QUICK], capsys)
    assert "state-000001-00000000.npz: no space left on the disk" in message
    monkeypatch.undo()
    os.chdir(here)
    assert main(["train", "--resume", "-d", "data", "--run", "runs/full"]) == 0


# ---- evaluation ---------------------------------------------------------------------------------------------------------

JSON_KEYS = {"split", "count", "accuracy", "accuracy_clean", "balanced_accuracy", "macro_f1"}
JSON_KEYS |= {"expected_calibration_error", "per_class", "confusion", "accuracy_clean_exact"}


def test_evaluate_writes_json_and_a_report(here, capsys):
    words = [
        "evaluate",
        "-d",
        "data",
        "--run",
        "runs/first",
        "--split",
        "test",
        "--json",
        "test.json",
        "--report",
        "page",
    ]
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
        (["--run", "nowhere"], "nowhere: no run there"),
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
    assert "not a whole .keras file" in fails(
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
    assert "none of this program's" in fails(
        ["evaluate", "-d", "data", "--checkpoint", "foreign.keras"], capsys
    )


def test_a_model_with_other_classes_is_refused(here, capsys):
    from deep_emotion import DeepEmotion

    DeepEmotion("input_warp", class_names=("calm", "cross")).save("other.keras")
    message = fails(["evaluate", "-d", "data", "--checkpoint", "other.keras"], capsys)
    assert "knows the classes calm, cross, and the dataset has angry, disgust" in message


# ---- verify -------------------------------------------------------------------------------------------------------------


def test_verify_passes_on_new_models_and_on_a_trained_one(here, capsys):
    assert main(["verify"]) == 0
    assert main(["verify", "--run", "runs/first"]) == 0
    shown = capsys.readouterr().out
    assert "FAIL" not in shown
    assert shown.count("The gradient of the loss reaches every weight: all") == 9


def test_verify_fails_on_a_model_that_is_broken(here, capsys):
    from deep_emotion import DeepEmotion

    model = DeepEmotion("input_warp")
    kernel = model.get_layer("dense").kernel
    kernel.assign(np.zeros(kernel.shape))
    bias = model.get_layer("dense").bias
    bias.assign(np.full(bias.shape, -1e9))  # every ReLU behind it is dead
    model.save("dead.keras")
    assert main(["verify", "--checkpoint", "dead.keras"]) == 1
    assert (
        "FAIL  The gradient of the loss reaches every weight: no gradient to"
        in capsys.readouterr().out
    )


@pytest.mark.slow
def test_the_demo_does_everything_once(tmp_path, capsys):
    assert main(["demo", "--folder", str(tmp_path / "demo")]) == 0
    shown = capsys.readouterr().out
    assert "All good." in shown
    accuracy = float(shown.split("test split")[1].split("accuracy")[1].split("%")[0])
    assert accuracy > 45  # 24 % is the majority class
    assert list((tmp_path / "demo" / "runs").glob("*/report-test/index.html"))
    assert "astronaut.jpg: happy" in shown
    page = (tmp_path / "demo" / "index.html").read_text()
    assert page.count("<h2>") == page.count("With your own:") == 8
    assert page.count("src='data:image/") == page.count("src=") == 7  # all pictures lie inside
    assert "http" not in page
