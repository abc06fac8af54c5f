"""The short form: -s True, -t True and -hparams True."""

import json

from ferkit.cli import main
from tests.support.command_line import fails


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
    assert "Read fer2013.csv" in capsys.readouterr().out
    words = ["-hparams", "True", "-e", "1", "-lr", "0.005", "-bs", "32"]
    assert main(["-t", "True", "-d", str(data), *words, "--run", str(tmp_path / "run")]) == 0
    recipe = recipe_of(tmp_path / "run")
    assert (recipe["name"], recipe["epochs"]) == ("paper", 1)
    assert (recipe["learning_rate"], recipe["batch_size"]) == (0.005, 32)
    words = ["--hyperparams", "False", "--epochs", "1"]
    both = ["-s", "True", "-t", "True", "-d", str(data), "--run", str(tmp_path / "both")]
    assert main([*both, *words]) == 0
    assert recipe_of(tmp_path / "both")["epochs"] == 1


def recipe_of(run):
    return json.loads((run / "recipe.json").read_text())["recipe"]


def test_the_seed_decides_the_set_up_too(tmp_path, capsys):
    for folder, words in (("a", []), ("b", ["--seed", "0"]), ("c", ["--seed", "7"])):
        words = [*words, "--sample", "--sample-count", "70", "-d", str(tmp_path / folder)]
        assert main(["-s", "True", *words]) == 0
    a, b, c = ((tmp_path / folder / "fer2013.csv").read_bytes() for folder in "abc")
    assert a == b != c
