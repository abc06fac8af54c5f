"""`export --format web`: the page for browsers, with a model of the user."""

import json

import pytest

from deep_emotion import DeepEmotion
from ferkit.cli import main
from ferkit.export import formats
from ferkit.models.shipped_weights import shipped_weights
from ferkit.recognition.litert_runtime import LiteRTRuntime
from ferkit.recognition.model_facts import model_facts
from tests.support.command_line import ROOT, fails

SHIPPED = shipped_weights()["deep_emotion_paper-fer2013"]
BUILT = {
    "index.html": "<title>page</title>",
    "service_worker.js": "// offline",
    "assets/index.js": "// code",
    "model.tflite": "the model of the build",
    "model.json": "{}",
}


@pytest.fixture(autouse=True)
def built_page(tmp_path, monkeypatch):
    """A folder that stands for web/dist, and an empty current folder."""
    for name, text in BUILT.items():
        file = tmp_path / "dist" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.setattr(formats, "BUILT_PAGE", tmp_path / "dist")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "dist"


def words(output, *more):
    return ["export", "--format", "web", "--output", str(output), *map(str, more)]


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_released_weights_go_into_the_page_as_they_were_released(tmp_path, capsys):
    assert main(words(tmp_path / "site", "--weights", SHIPPED.stem)) == 0
    site = tmp_path / "site"
    assert names(site) == sorted(BUILT)
    assert (site / "index.html").read_text() == BUILT["index.html"]
    assert (site / "model.tflite").read_bytes() == SHIPPED.with_suffix(".tflite").read_bytes()
    facts = json.loads((site / "model.json").read_text())
    assert facts["name"] == "deep_emotion_paper-fer2013"
    assert (facts["input"], facts["unsure_below"]) == ([48, 48, 1], 0.4)
    figures = json.loads(SHIPPED.with_suffix(".json").read_text())
    assert facts["measured"]["accuracy"] == figures["plain"]["accuracy"]
    size = sum((site / name).stat().st_size for name in names(site))
    assert capsys.readouterr().out.startswith(f"{site}: {size:,} bytes")


def test_a_compiled_file_goes_into_the_page_under_its_name(tmp_path):
    mine = tmp_path / "mine.tflite"
    mine.write_bytes(SHIPPED.with_suffix(".tflite").read_bytes())
    assert main(words(tmp_path / "site", "--weights", mine)) == 0
    facts = json.loads((tmp_path / "site" / "model.json").read_text())
    assert (facts["name"], facts["measured"]) == ("mine", None)


def test_a_model_of_the_user_is_converted_first(tmp_path, capsys):
    DeepEmotion("paper", class_names=("good", "bad")).save(tmp_path / "mine.keras")
    assert main(words(tmp_path / "site", "--weights", tmp_path / "mine.keras")) == 0
    model = tmp_path / "site" / "model.tflite"
    assert LiteRTRuntime(model).class_names == ("good", "bad")
    facts = json.loads((tmp_path / "site" / "model.json").read_text())
    assert (facts["name"], facts["class_names"]) == ("mine", ["good", "bad"])
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{model}: {model.stat().st_size:,} bytes; read back by")
    assert last.startswith(f"{tmp_path / 'site'}: ")


def test_without_the_built_page_it_says_how_to_build_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(formats, "BUILT_PAGE", tmp_path / "nothing")
    line = fails(words(tmp_path / "site"), capsys)
    assert f"--format web: the page is not in {tmp_path / 'nothing'}; build it" in line
    assert "make web (needs Node.js" in line
    assert not (tmp_path / "site").exists()


def test_only_an_earlier_page_is_replaced_and_only_with_force(tmp_path, capsys):
    site, photos = tmp_path / "site", tmp_path / "photos"
    photos.mkdir()
    (photos / "photo.jpg").touch()
    assert main(words(site, "--weights", SHIPPED.stem)) == 0
    (site / "stale").touch()
    assert "already exists; add --force" in fails(words(site), capsys)
    assert (site / "stale").exists()
    assert main(words(site, "--weights", SHIPPED.stem, "--force")) == 0
    assert names(site) == sorted(BUILT)
    assert "something other than such a page" in fails(words(photos, "--force"), capsys)
    assert names(photos) == ["photo.jpg"]


def test_an_onnx_file_is_refused(tmp_path, capsys):
    (tmp_path / "mine.onnx").touch()
    line = fails(words(tmp_path / "site", "--weights", tmp_path / "mine.onnx"), capsys)
    assert "mine.onnx: a compiled model" in line
    assert not (tmp_path / "site").exists()


def test_the_page_is_built_with_the_facts_of_the_shipped_weights():
    file = shipped_weights()["deep_emotion-fer2013"]
    facts = model_facts(file, LiteRTRuntime(file.with_suffix(".tflite")))
    assert json.loads((ROOT / "web" / "model.json").read_text()) == facts
