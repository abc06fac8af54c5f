"""`predict --max-error` by the thresholds of a release, and `evaluate` measures them."""

import hashlib
import json
import shutil

import pytest

from ferkit import Recognizer, UserError
from ferkit.cli import main
from ferkit.models.shipped_weights import model_file
from ferkit.release import release
from ferkit.serving import server
from ferkit.serving.limits import Limits
from tests.support.command_line import ROOT, fails
from tests.support.serving_client import ask, post, served

PHOTO = str(ROOT / "ferkit/demo/astronaut.jpg")
SURE = 0.9999  # no face is that sure


@pytest.fixture
def released(tmp_path):
    """A copy of shipped weights, as a release with made-up thresholds."""
    shipped = model_file("deep_emotion_paper-fer2013")
    file = tmp_path / "mine.keras"
    for suffix in (".keras", ".tflite"):
        shutil.copy(shipped.with_suffix(suffix), file.with_suffix(suffix))
    compiled = file.with_suffix(".tflite")
    digest = hashlib.sha256(compiled.read_bytes()).hexdigest()

    def rows(*thresholds):
        limits = zip((0.05, 0.1, 0.2), thresholds, strict=True)
        return {"thresholds": [{"max_error": e, "threshold": t} for e, t in limits]}

    figures = {
        "bytes": file.stat().st_size,
        "compiled": {"file": compiled.name, "sha256": digest},
        "selective": {"plain": rows(None, SURE, 0.01), "flip": rows(None, SURE, SURE)},
    }
    file.with_suffix(".json").write_text(json.dumps(figures))
    return file


def status(folder, *words):
    out = folder / "faces.json"
    assert main(["predict", PHOTO, "--json", str(out), *words]) == 0
    (row,) = json.loads(out.read_text())
    assert row["label"] in row["probabilities"]
    return row["status"]


def test_less_sure_labels_become_unsure(released, tmp_path, capsys):
    model = ["--weights", str(released)]
    assert status(tmp_path, *model) == "ok"
    assert status(tmp_path, *model, "--max-error", "0.2") == "ok"
    assert "(unsure)" not in capsys.readouterr().out
    # The threshold of the largest measured error up to 0.19, which is 0.1.
    assert status(tmp_path, *model, "--max-error", "0.19") == "unsure"
    assert "(unsure)" in capsys.readouterr().out
    assert status(tmp_path, *model, "--max-error", "0.2", "--tta") == "unsure"
    compiled = ["--weights", str(released.with_suffix(".tflite"))]
    assert status(tmp_path, *compiled, "--max-error", "0.1") == "unsure"
    (face,) = Recognizer(released, max_error=0.1).predict(PHOTO)
    assert (face.is_unsure, face.threshold) == (True, SURE)


def test_what_cannot_be_kept_is_one_line(released, tmp_path, capsys):
    def line(error, file=released):
        return fails(["predict", PHOTO, "--weights", str(file), "--max-error", error], capsys)

    for number in ("0", "1", "nan", "-1"):
        assert f"--max-error {number}: out of range; give a number between 0 and 1" in line(number)
    assert "has no threshold for so small an error; give at least 0.1" in line("0.05")
    alone = tmp_path / "alone.tflite"
    shutil.copy(released.with_suffix(".tflite"), alone)
    assert "alone.tflite has no measured thresholds; give --max-error only with" in line(
        "0.2", alone
    )
    # Figures of an earlier file with the same name do not count.
    with released.open("ab") as file:
        file.write(b"x")
    with pytest.raises(UserError, match="has no measured thresholds"):
        Recognizer(released, max_error=0.2)


def test_the_server_uses_the_threshold_too(released, monkeypatch, capsys):
    words = ["serve", "--port", "0", "--weights", str(released), "--detector", "none"]
    servers = []
    monkeypatch.setattr(server, "run_until_stopped", lambda made, _: servers.append(made))
    assert main([*words, "--max-error", "0.1"]) == 0
    assert "is ready" in capsys.readouterr().out
    assert servers
    recognizer = Recognizer(released, "none", max_error=0.1)
    with served(recognizer, Limits(), detector="none", warm_up=()) as (port, _):
        (face,) = post(port, (ROOT / PHOTO).read_bytes())[1]["faces"]
        assert face["unsure"] is True
        (model,) = ask(port, "GET", "/v1/models")[1]["models"]
        assert model["unsure_below"] == SURE
    line = fails([*words, "--max-error", "0.05"], capsys)
    assert "has no threshold for so small an error; give at least 0.1" in line


def test_evaluate_measures_when_not_to_answer(here, capsys):
    words = ["--run", "runs/first", "--json", "selective.json", "--report", "selective-page"]
    assert main(["evaluate", "-d", "data", *words]) == 0
    figures = json.loads((here / "selective.json").read_text())
    selective = figures["selective"]
    assert selective["images"] == figures["count"]
    assert selective["risk_coverage"][0]["error"] == pytest.approx(1 - figures["accuracy"])
    assert [row["asked"] for row in selective["conformal"]] == [0.8, 0.9, 0.95]
    assert "confidence for a maximum error: 5%:" in capsys.readouterr().out
    assert 'src="risk_coverage.png"' in (here / "selective-page/index.html").read_text()
    assert (here / "selective-page/risk_coverage.png").stat().st_size > 5000
    # The report may be written again: all of its files are known as its own.
    assert main(["evaluate", "-d", "data", *words]) == 0


def test_release_stores_the_thresholds(here, tmp_path, monkeypatch):
    words = ["release", "-d", "data", "--run", "runs/first", "--name", "m", "--to", str(tmp_path)]
    words += ["--compiled", "False"]
    assert main(words) == 0
    assert "selective" not in json.loads((tmp_path / "m.json").read_text())  # too few images
    monkeypatch.setattr(release, "MIN_IMAGES", 10)
    assert main([*words, "--force"]) == 0
    figures = json.loads((tmp_path / "m.json").read_text())
    assert set(figures["selective"]) == {"plain", "flip"}
    assert figures["selective"]["plain"]["images"] == figures["plain"]["count_clean"]
    card = " ".join((tmp_path / "m.md").read_text().split())
    assert "## When not to answer" in card
    assert "faces like the measured images only" in card
