"""`evaluate --groups` on drawn faces: screen, JSON and report."""

import csv
import json

from ferkit.cli import main
from tests.support.command_line import fails

MODEL = ["evaluate", "-d", "data", "--run", "runs/first"]


def test_groups_are_on_the_screen_in_json_and_in_the_report(here, capsys):
    with open(here / "data/manifest.csv", newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file) if row["split"] == "val"]
    rows = "".join(f"{path},{'<b>ab'[k % 2 * 4 :]}\n" for k, path in enumerate(paths))
    (here / "people.csv").write_text(f"path,camera\n{rows}")
    words = ["--groups", "people.csv", "--json", "groups.json", "--report", "groups-page"]
    assert main([*MODEL, *words]) == 0
    figures = json.loads((here / "groups.json").read_text())
    found = figures["groups"]["camera"]["groups"]
    assert set(found) == {"<b>ab", "b"}
    right = sum(round(row["accuracy"] * row["images"]) for row in found.values())
    assert right == round(figures["accuracy"] * len(paths))
    out = capsys.readouterr().out
    assert "By camera:" in out
    assert f"{found['b']['images']} images" in out
    page = (here / "groups-page/index.html").read_text()
    assert "<h2>By camera</h2>" in page
    assert "&lt;b&gt;ab" in page


def test_the_list_of_groups_is_never_replaced(here, capsys):
    (here / "list.csv").write_text("path,camera\n")
    line = fails([*MODEL, "--groups", "list.csv", "--json", "list.csv"], capsys)
    assert "list.csv" in line
    assert (here / "list.csv").read_text() == "path,camera\n"
    assert "columns none" not in line
    assert "absent.csv: cannot be read as CSV (No such file" in fails(
        [*MODEL, "--groups", "absent.csv"], capsys
    )
