"""Resuming a training from the command line."""

import re
import signal
import subprocess
import sys
import time

from ferkit.cli import main
from tests.support.command_line import QUICK, ROOT, fails


def test_a_run_is_not_overwritten_and_a_finished_one_resumes_without_error(here, capsys):
    assert "runs/first: already contains a run; add --resume" in fails(
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
    assert "There is no run to resume: starting a new run." in capsys.readouterr().out
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

    with RunFolder("runs/first").lock():
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
    assert "its --learning_rate is 0.002, and 0.1 was given" in fails(
        [*resume, "--learning_rate", "0.1"], capsys
    )
    assert "its --dropout is 0.5, and 0.1 was given" in fails([*resume, "--dropout", "0.1"], capsys)
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
        r"336 train, .*of 7 classes; runs/first was started on another dataset, .*336 train, ",
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
