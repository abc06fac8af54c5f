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
