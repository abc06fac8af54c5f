"""`--detector-size` and `--margin` of the commands."""

import json

import pytest
from PIL import Image

from ferkit.cli import main
from tests.support.command_line import fails
from tests.support.group_photos import group_photo


@pytest.fixture
def photo(tmp_path, monkeypatch):
    """Six faces of 40 pixels, which are 13 at 320 pixels."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(group_photo(40, 2, 3, (600, 960))[0]).save("group.png")
    return "group.png"


@pytest.mark.parametrize(("size", "count"), [("960", 6), ("320", 0)])
def test_predict_searches_at_that_size(size, count, photo, tmp_path):
    assert main(["predict", photo, "--detector-size", size, "--json", "faces.json"]) == 0
    rows = json.loads((tmp_path / "faces.json").read_text())
    assert len([row for row in rows if row["status"] == "ok"]) == count


@pytest.mark.parametrize("size", ["960", "320"])
def test_explain_searches_at_that_size(size, photo, tmp_path):
    explain = ["explain", photo, "--runtime", "litert", "--detector-size", size]
    assert main([*explain, "--class", "happy"]) == 0
    assert len(list(tmp_path.glob("explained/*.png"))) == (size == "960")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["predict", "x.png", "--detector-size", "20"],
            "--detector-size 20: out of range; give th",
        ),
        (
            ["explain", "x.png", "--detector-size", "20"],
            "--detector-size 20: out of range; give th",
        ),
        (["serve", "--port", "0", "--detector-size", "20"], "--detector-size 20: out of range; gi"),
        (
            ["predict", "x.png", "--detector", "none", "--detector-size", "900"],
            "--detector-size 900: has no meaning for the detector none; omit it, or select yunet",
        ),
        (
            ["predict", "x.png", "--margin", "-1"],
            "--margin -1: out of range; give a number from -0",
        ),
        (["predict", "x.png", "--margin", "nan"], "--margin nan: out of range; give a number from"),
    ],
)
def test_values_out_of_range_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert message in fails(arguments, capsys)
