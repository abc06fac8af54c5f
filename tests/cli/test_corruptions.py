"""`evaluate --corruptions` and `release --corruptions` on drawn faces."""

import json

import pytest

from ferkit.cli import main
from tests.support.command_line import fails


@pytest.fixture(scope="module")
def compiled(workplace):
    """A compiled copy of the run's model."""
    file = workplace / "corruptions.tflite"
    words = ["--run", str(workplace / "runs/first"), "--format", "litert", "--output", str(file)]
    assert main(["export", *words]) == 0
    return file


def test_evaluate_measures_corrupted_images(here, compiled, capsys):
    def measured(name, *model):
        words = ["--corruptions", "20", "--json", f"{name}.json", "--report", f"{name}-page"]
        assert main(["evaluate", "-d", "data", *model, *words]) == 0
        return json.loads((here / f"{name}.json").read_text())["robustness"]

    figures = measured("robust", "--run", "runs/first")
    out = capsys.readouterr().out
    assert "Robustness, 20 images drawn at random" in out
    assert f"mean accuracy with corruptions {figures['mean_accuracy']:.1%}" in out
    assert (figures["images"], figures["threshold"]) == (20, 0.4)
    assert len(figures["corruptions"]) == 11
    page = (here / "robust-page/index.html").read_text()
    assert "<h2>Robustness</h2>" in page
    assert "mouth covered" in page
    assert 'src="robustness.png"' in page
    assert (here / "robust-page/robustness.png").stat().st_size > 5000
    # A compiled file sees the same images, and answers nearly the same.
    again = measured("compiled", "--weights", str(compiled))
    assert again["images"] == 20
    assert again["mean_accuracy"] == pytest.approx(figures["mean_accuracy"], abs=0.03)


def test_without_the_flag_nothing_is_measured(here, capsys):
    words = ["--run", "runs/first", "--json", "plain.json", "--report", "plain-page"]
    assert main(["evaluate", "-d", "data", *words]) == 0
    assert "Robustness" not in capsys.readouterr().out
    assert "robustness" not in json.loads((here / "plain.json").read_text())
    assert "Robustness" not in (here / "plain-page/index.html").read_text()
    assert not (here / "plain-page/robustness.png").exists()


@pytest.mark.parametrize("command", ["evaluate", "release"])
def test_a_number_below_one_is_one_line(here, capsys, command):
    line = fails([command, "-d", "data", "--run", "runs/first", "--corruptions", "0"], capsys)
    assert "--corruptions 0: out of range; give a number of at least 1" in line
