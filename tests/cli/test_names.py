"""File names that a system accepts and a terminal, an encoding or another system does not."""

import csv
import io
import os

from ferkit.cli import main
from ferkit.files import write_csv
from ferkit.prediction.rows import NO_FACE, RowWriter, empty_row
from tests.support.command_line import fails

DATA_URI = "data:image/png;base64," + "iVBORw0KGgo" * 500


def test_a_name_that_is_too_long_is_one_line(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in (
        ["predict", DATA_URI],
        ["explain", DATA_URI],
        ["setup", "--source", DATA_URI],
        ["setup", "--dataset", "folders", "--source", DATA_URI],
        ["setup", "--sample", "--sample-count", "70", "-d", "sample", "--ferplus", DATA_URI],
        ["train", "-d", DATA_URI],
        ["train", "--recipe", DATA_URI + ".json"],
        ["predict", "photo.jpg", "--weights", DATA_URI + ".keras"],
        ["runs", DATA_URI],
    ):
        line = fails(command, capsys)
        assert "data:image/png;base64,iVBORw0KGgo" in line, command
        assert len(line) < 600, command


def test_control_characters_in_an_argument_are_shown_escaped(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert fails(["runs", "a\x1b[31m\nb"], capsys).startswith(
        r"error: a\x1b[31m\nb: no such folder"
    )


def test_letters_that_the_output_lacks_are_escaped(tmp_path, monkeypatch):
    run = tmp_path / os.fsdecode("Läufe\udcff-\u65e5".encode("utf-8", "surrogateescape"))
    run.mkdir()
    (run / "recipe.json").write_text("{}")
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", out)
    assert main(["runs", str(tmp_path), "--csv", str(tmp_path / "runs.csv")]) == 0
    out.flush()
    assert rb"L\xe4ufe\udcff-\u65e5" in out.buffer.getvalue()
    [row] = csv.DictReader((tmp_path / "runs.csv").read_text(encoding="utf-8").splitlines())
    assert row["run"] == r"Läufe\udcff-日"


def test_bytes_of_a_name_that_are_not_utf8_are_written_as_escapes(tmp_path):
    name = os.fsdecode(b"face\xff.jpg")
    write_csv(tmp_path / "a.csv", [{"name": name}])
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()[1] == r"face\udcff.jpg"
    with RowWriter(tmp_path / "b.csv", tmp_path / "b.json", ("happy",)) as rows:
        rows.write(empty_row(name, NO_FACE))
    [row] = csv.DictReader((tmp_path / "b.csv").read_text(encoding="utf-8").splitlines())
    assert row["source"] == r"face\udcff.jpg"
    assert r"face\udcff.jpg" in (tmp_path / "b.json").read_text(encoding="utf-8")
