"""The table of runs, for run folders that the tests write."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ferkit.cli import main
from ferkit.errors import UserError
from ferkit.recipes.named import read_recipe
from ferkit.reporting.run_table import COLUMNS, format_run_table, list_runs
from ferkit.training.run_folder import RunFolder

ROOT = Path(__file__).resolve().parents[2]
HEADER = (
    "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy,val_accuracy_clean,"
    "val_balanced_accuracy,val_macro_f1"
)


def write_run(
    path,
    accuracies,
    epochs=4,
    started="2026-05-04 12:00:00 +0000",
    losses=None,
    clean=True,
    dataset=None,
    **recipe,
):
    """Write a run folder whose epochs had these validation accuracies; without any, no history."""
    path.mkdir(parents=True)
    recipe = {
        "model": "deep_emotion",
        "name": "paper",
        "seed": 0,
        "epochs": epochs,
        "early_stopping": 0,
        **recipe,
    }
    made_with = {
        "started": started,
        "commit": "0123456789abcdef+changes",
        "command": "main.py train",
    }
    (path / "recipe.json").write_text(
        json.dumps({"recipe": recipe, "dataset": dataset or {}, "made_with": made_with})
    )
    losses = losses or [1.5] * len(accuracies)
    lines = [
        f"{k},0.01,1.7,0.3,{loss},{accuracy},{accuracy - 0.02 if clean else ''},0.2,0.25"
        for k, (accuracy, loss) in enumerate(zip(accuracies, losses, strict=True), start=1)
    ]
    if lines:
        (path / "history.csv").write_text("\n".join([HEADER, *lines]) + "\n")


@pytest.fixture
def runs(tmp_path):
    """One run of every status."""
    folder = tmp_path / "runs"
    write_run(
        folder / "done",
        [0.3, 0.5, 0.5, 0.4],
        losses=[1.5, 1.4, 1.3, 1.2],
        started="2026-05-04 09:00:00 +0200",
        seed=3,
    )
    write_run(
        folder / "compare" / "small" / "seed0", [0.6, 0.5], epochs=40, model="dan", name="fer2013"
    )
    write_run(folder / "early", [0.4, 0.3, 0.35], epochs=40, early_stopping=2, clean=False)
    write_run(folder / "new", [], started="2026-05-05 08:00:00 +0000")
    write_run(folder / "torn", [0.5])
    (folder / "torn" / "recipe.json").write_text('{"recipe": {"mod')
    write_run(folder / "cut", [0.5])
    (folder / "cut" / "history.csv").write_text(HEADER + "\n1,0.01,1.7\n")
    return folder


def by_name(rows):
    return {row["run"]: row for row in rows}


def test_every_run_has_its_status_and_the_figures_of_its_best_epoch(runs):
    rows = by_name(list_runs(runs))
    statuses = {name: row["status"] for name, row in rows.items()}
    assert statuses == {
        "compare/small/seed0": "epoch 2 of 40",
        "done": "finished",
        "early": "stopped early",
        "new": "not begun",
        "torn": "unreadable",
        "cut": "unreadable",
    }
    done = rows["done"]
    assert (done["best_epoch"], done["val_accuracy"], done["val_loss"], done["epochs_done"]) == (
        3,
        0.5,
        1.3,
        4,
    )
    assert (done["model"], done["recipe"], done["seed"], done["commit"]) == (
        "deep_emotion",
        "paper",
        3,
        "0123456+",
    )
    assert done["val_accuracy_clean"] == pytest.approx(0.48)
    assert done["val_macro_f1"] == 0.25
    assert rows["early"]["val_accuracy_clean"] is None
    assert rows["new"]["best_epoch"] is None
    assert all(tuple(row) == COLUMNS for row in rows.values())
    assert "recipe.json: cannot be read" in rows["torn"]["reason"]
    assert "damaged" in rows["cut"]["reason"]


def test_the_orders(runs):
    assert [row["run"] for row in list_runs(runs)] == [
        "compare/small/seed0",
        "done",
        "early",
        "new",
        "cut",
        "torn",
    ]
    assert [row["run"] for row in list_runs(runs, "name")] == sorted(
        row["run"] for row in list_runs(runs)
    )
    started = [
        row["run"] for row in list_runs(runs, "started")
    ]  # 9:00 in a zone two hours ahead is before 12:00
    assert started == ["new", "compare/small/seed0", "early", "done", "cut", "torn"]


def test_equal_accuracies_are_ordered_by_loss(tmp_path):
    write_run(tmp_path / "a", [0.5], losses=[1.2])
    write_run(tmp_path / "b", [0.5], losses=[1.1])
    assert [row["run"] for row in list_runs(tmp_path)] == ["b", "a"]


def test_folders_in_a_run_are_not_searched_and_a_run_itself_can_be_given(runs):
    write_run(runs / "done" / "inner", [0.9])
    assert "done/inner" not in by_name(list_runs(runs))
    assert [row["run"] for row in list_runs(runs / "done")] == ["done"]


def test_a_run_of_another_version_is_listed(tmp_path):
    write_run(tmp_path / "other", [0.5], wings=2)
    record = json.loads((tmp_path / "other" / "recipe.json").read_text())
    del record["made_with"], record["recipe"]["early_stopping"]
    (tmp_path / "other" / "recipe.json").write_text(json.dumps(record))
    (row,) = list_runs(tmp_path)
    assert (row["status"], row["started"], row["commit"]) == ("epoch 1 of 4", None, None)


def test_the_dataset_of_a_run_is_shown(tmp_path):
    write_run(tmp_path / "first", [0.5], dataset={"folder": "/home/me/data/fer2013"})
    (row,) = list_runs(tmp_path)
    assert row["dataset"] == "/home/me/data/fer2013"
    assert format_run_table([row]).splitlines()[1].endswith("  fer2013")


def test_the_table_lines_up(runs):
    lines = format_run_table(list_runs(runs)).splitlines()
    assert lines[0].split() == (
        ["run", "model", "recipe", "seed", "status", "best", "accuracy", "clean", "macro"]
        + ["F1", "val", "loss", "epochs", "started", "commit", "dataset"]
    )
    assert "60.00%  58.00%" in lines[1]
    end = lines[0].index("accuracy") + len("accuracy")
    assert [line[end - 6 : end].strip() for line in lines[1:7]] == [
        "60.00%",
        "50.00%",
        "40.00%",
        "-",
        "-",
        "-",
    ]
    assert "6 runs: 1 unfinished, 1 finished, 1 stopped early, 1 not begun, 2 unreadable." in lines
    assert any(line.startswith("Unreadable: torn: ") for line in lines)


def test_the_command_prints_and_writes(runs, capsys, tmp_path):
    table, listing = tmp_path / "runs.csv", tmp_path / "runs.json"
    assert (
        main(["runs", str(runs), "--sort", "name", "--csv", str(table), "--json", str(listing)])
        == 0
    )
    shown = capsys.readouterr().out
    assert shown.index("compare/small/seed0") < shown.index("done")
    assert f"Written: {table}" in shown
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["run"] for row in rows] == [
        "compare/small/seed0",
        "cut",
        "done",
        "early",
        "new",
        "torn",
    ]
    assert rows[2]["val_accuracy"] == "0.5"
    assert rows[4]["val_accuracy"] == ""
    assert json.loads(listing.read_text()) == list_runs(runs, "name")


def test_no_run_is_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["runs"]) == 2
    assert capsys.readouterr().err.startswith(
        "error: runs: no such folder; name the folder that contains your runs"
    )
    assert main(["runs", str(tmp_path)]) == 2
    message = "contains no run (no recipe.json); train one with --run"
    assert f"error: {tmp_path}: {message}" in capsys.readouterr().err


def test_it_loads_nothing_heavy(runs):
    code = (
        "import sys; from ferkit.cli import main; assert main(['runs', sys.argv[1]]) == 0\n"
        "heavy = {'tensorflow', 'keras', 'pandas', 'cv2', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(runs)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit):
        main(["runs", "--help"])
    assert "python main.py runs --sort started" in capsys.readouterr().out


DAMAGED_RECIPES = ["", "[]", "{}", "3", '"x"', "[" * 100_000, '{"recipe": []}', '{"recipe": {}}']
DAMAGED_HISTORIES = [
    "",
    "\n",
    "a,b\n1,2\n",
    HEADER,
    HEADER + "\n1\n",
    "\0",
    "epoch\n" + "9" * 200_000,
]


@pytest.mark.parametrize("text", DAMAGED_RECIPES, ids=range(len(DAMAGED_RECIPES)))
def test_a_recipe_of_any_content_is_one_line(tmp_path, text):
    write_run(tmp_path / "good", [0.5])
    write_run(tmp_path / "bad", [0.5])
    (tmp_path / "bad/recipe.json").write_text(text)
    good, bad = list_runs(tmp_path)
    assert (good["run"], bad["run"], bad["status"]) == ("good", "bad", "unreadable")
    assert len(bad["reason"].splitlines()) == 1
    run = RunFolder(tmp_path / "bad")
    with pytest.raises(UserError):
        print(run.recipe(), run.record()["recipe"]["model"])
    with pytest.raises(UserError):
        print(read_recipe(tmp_path / "bad/recipe.json").replace(epochs=0))


@pytest.mark.parametrize("text", DAMAGED_HISTORIES, ids=range(len(DAMAGED_HISTORIES)))
def test_a_history_of_any_content_is_one_line(tmp_path, text):
    write_run(tmp_path / "bad", [0.5])
    (tmp_path / "bad/history.csv").write_text(text)
    [row] = list_runs(tmp_path)
    assert row["status"] == "unreadable"
    assert "history.csv: damaged, or not a history of a training" in row["reason"]
    with pytest.raises(UserError, match="damaged, or not a history"):
        RunFolder(tmp_path / "bad").history()


def test_links_to_nowhere_among_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "runs/good", [0.5])
    (tmp_path / "runs/good/link").symlink_to("nowhere")
    (tmp_path / "runs/link").symlink_to("nowhere")
    (tmp_path / "runs/bad").mkdir()
    (tmp_path / "runs/bad/recipe.json").symlink_to("nowhere")
    assert RunFolder.newest().path.name == "good"
    assert RunFolder.newest("deep_emotion").path.name == "good"
    assert [row["status"] for row in list_runs("runs")] == ["epoch 1 of 4", "unreadable"]
