"""Outputs of the commands: inputs and files of others stay, and failed starts leave nothing."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import pytest

import generate_data
from ferkit.cli import main
from ferkit.demo.run import run_demo
from ferkit.errors import UserError
from ferkit.recipes.fit_checks import fit_votes
from ferkit.recipes.named import named_recipe
from ferkit.training.run_folder import RunFolder
from tests.support.command_line import QUICK, ROOT, fails

BEST = ["train", "-d", "data", "--recipe", "best", "--epochs", "1", "--variant", "input_warp"]
FIGURES = {"name": "face", "split": "val", "temperature": 1.0, "plain": {}, "bytes": 5}


@pytest.fixture
def data_copy(here, tmp_path):
    """Copies of the dataset's texts and of the finished run, to be changed."""
    shutil.copytree(here / "runs/first", tmp_path / "run")
    return tmp_path


# ---- starts that fail


def test_only_votes_that_were_asked_for_must_exist(here, capsys):
    recipe, manifest = named_recipe("deep_emotion", "best"), generate_data.read_manifest("data")
    fitted = fit_votes(recipe, manifest, given=["epochs"])
    assert (fitted.vote_weight, fitted.label_smoothing) == (0.0, 0.1)
    assert capsys.readouterr().out.count("\n") == 1
    assert fit_votes(recipe, manifest, ["label_smoothing"]).label_smoothing == 0.0
    with pytest.raises(UserError, match=r"--vote_weight: the dataset has no FER\+ votes"):
        fit_votes(recipe, manifest, ["vote_weight"])
    voted = dataclasses.replace(manifest, table=manifest.table.assign(votes="4 0 0 1 3 2 0 0 0 0"))
    assert fit_votes(recipe, voted, []) == recipe


@pytest.mark.slow
def test_a_recipe_with_votes_trains_without_them_where_there_are_none(here, capsys):
    words = [*BEST, "--run", "runs/voteless"]
    assert main(words) == 0
    line = "The dataset has no FER+ votes: recipe best trains without them, with --label_smoothing"
    assert line in capsys.readouterr().out
    recipe = RunFolder("runs/voteless").recipe()
    assert (recipe.name, recipe.vote_weight, recipe.label_smoothing) == ("best", 0.0, 0.1)
    assert main(["train", "--resume", "-d", "data", "--run", "runs/voteless"]) == 0
    shutil.rmtree("runs/voteless")


def test_a_failed_start_leaves_no_run_folder(here, capsys, monkeypatch):
    newest = RunFolder.newest()
    for words, message in (
        ([*BEST, "--vote_weight", "0.5"], "--vote_weight: the dataset has no FER+ votes"),
        (["train", "-d", "data", *QUICK, "--teacher", "gone.keras"], "gone.keras"),
        (["train", "-d", "data", *QUICK, "--init_from", "gone.keras"], "gone.keras"),
    ):
        for run in ([], ["--run", "runs/failed"]):
            assert message in fails([*words, *run], capsys)
            assert not (here / "runs/failed").exists()
            assert RunFolder.newest().path == newest.path

    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr("ferkit.training.step.TrainingStep.__call__", no_memory)
    words = ["train", "-d", "data", *QUICK, "--run", "runs/failed"]
    assert "out of memory with --batch_size 64" in fails(words, capsys)
    assert not (here / "runs/failed").exists()


def test_a_run_without_its_checkpoints_is_not_started_over(here, data_copy, capsys):
    run = str(data_copy / "run")
    shutil.rmtree(data_copy / "run/backup")
    best = (data_copy / "run/best.keras").read_bytes()
    resume = ["train", "--resume", "-d", "data", "--run", run]
    assert main(resume) == 0
    assert "finished already, 2 epochs" in capsys.readouterr().out
    line = fails([*resume, "--epochs", "3"], capsys)
    assert f"{run}/backup: no checkpoint in it, so the run cannot be resumed" in line
    (data_copy / "run/report/index.html").unlink()
    assert "no checkpoint in it" in fails(resume, capsys)
    assert (data_copy / "run/best.keras").read_bytes() == best
    assert len(RunFolder(run).history()) == 2


# ---- outputs on inputs


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["evaluate", "--weights", "RUN/best.keras", "--json", "RUN/best.keras"], "the same file"),
        (["evaluate", "--run", "RUN", "--json", "RUN/recipe.json"], "the same file as the input"),
        (["evaluate", "--run", "RUN", "--submission", "data/manifest.csv"], "the same file as"),
        (["evaluate", "--run", "RUN", "--report", "PAGE"], "contains index.html, which is not a"),
        (["runs", "RUN", "--csv", "RUN/history.csv"], "the same file as the input"),
        (["runs", "RUN", "--csv", "x", "--json", "x"], "the same file as --csv x"),
        (
            [*("export", "--run", "RUN", "--format", "litert", "--force"), "--output", "LINK"],
            "the same file as the input",
        ),
    ],
)
def test_no_command_replaces_its_input(words, problem, here, data_copy, capsys):
    page = data_copy / "page"
    page.mkdir()
    (page / "index.html").write_text("mine")
    os.symlink(data_copy / "run/best.keras", data_copy / "link")
    names = {"RUN": data_copy / "run", "PAGE": page, "LINK": data_copy / "link"}
    before = {path: path.read_bytes() for path in data_copy.rglob("*.*") if path.is_file()}
    manifest = (here / "data/manifest.csv").read_bytes()
    for name, path in names.items():
        words = [word.replace(name, str(path)) for word in words]
    data = [] if words[0] == "runs" else ["-d", "data"]
    assert problem in fails([*words, *data], capsys)
    assert {path: path.read_bytes() for path in before} == before
    assert (here / "data/manifest.csv").read_bytes() == manifest


@pytest.mark.parametrize("suffix", [".keras", ".json", ".md", ".tflite"])
def test_a_release_replaces_only_files_of_a_release(suffix, here, tmp_path, capsys):
    file = tmp_path / f"face{suffix}"
    file.write_text("mine")
    words = ["release", "-d", "data", "--run", "runs/first", "--name", "face", "--to"]
    line = fails([*words, str(tmp_path)], capsys)
    assert f"face{suffix}: exists and is not part of an earlier release; add --force" in line
    assert file.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_release_never_replaces_the_model_that_it_reads(here, tmp_path, capsys):
    shutil.copy("runs/first/best.keras", tmp_path / "face.keras")
    (tmp_path / "face.json").write_text(json.dumps(FIGURES))
    words = ["--weights", str(tmp_path / "face.keras"), "--name", "face", "--to", str(tmp_path)]
    line = fails(["release", "-d", "data", *words, "--force"], capsys)
    assert "face.keras: an input of the release, which it would replace" in line


def test_the_demo_replaces_no_page_of_others(tmp_path):
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(UserError, match=r"--folder .*: exists and is not the folder of a demo"):
        run_demo(tmp_path, 1, lambda words: pytest.fail("a step was run"))
    assert (tmp_path / "index.html").read_text() == "mine"


# ---- what is printed cannot be written


def runs_into(output, unbuffered):
    command = [sys.executable, str(ROOT / "main.py"), "runs"]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    return subprocess.run(
        command, stdout=output, stderr=subprocess.PIPE, text=True, env=environment
    )


@pytest.mark.skipif(os.name == "nt", reason="pipes and devices of POSIX")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_and_a_full_disk_are_one_line(unbuffered, here):
    reading, writing = os.pipe()
    os.close(reading)
    done = runs_into(writing, unbuffered)
    os.close(writing)
    line = "error: output: closed by the program that reads it; the command was stopped.\n"
    assert (done.returncode, done.stderr) == (2, line)
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w") as full:
            done = runs_into(full, unbuffered)
        line = "error: output: no space left on the disk; free some and run again.\n"
        assert (done.returncode, done.stderr) == (2, line)
