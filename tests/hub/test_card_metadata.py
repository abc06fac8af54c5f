"""Model cards open with the block that the Hugging Face Hub reads, with the figures of the JSON."""

import json
import tomllib
from pathlib import Path

import pytest

from ferkit.hub.card_metadata import metadata_block, without_metadata
from ferkit.models.shipped_weights import shipped_weights
from ferkit.release.model_card import model_card

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted(shipped_weights().items())


def figures_of(file):
    return json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "file"), SHIPPED)
def test_shipped_cards_are_made_from_their_figures(name, file):
    card = file.with_suffix(".md").read_text(encoding="utf-8")
    assert card == model_card(figures_of(file))
    assert card.startswith("---\nlibrary_name: keras\npipeline_tag: image-classification\n")
    assert without_metadata(card).startswith(f"# {name}\n")


@pytest.mark.parametrize(("name", "file"), SHIPPED)
def test_the_hub_reads_the_block(name, file):
    library = pytest.importorskip("huggingface_hub")
    figures = figures_of(file)
    data = library.ModelCard.load(file.with_suffix(".md")).data
    assert (data.library_name, data.pipeline_tag) == ("keras", "image-classification")
    assert data.license == "mit"
    assert data.datasets == ["fer2013"]
    assert data.model_name == name
    assert {"dan", "deep-emotion"} & set(data.tags)
    found = {result.metric_name: result for result in data.eval_results}
    assert len(found) == 10
    assert {result.metric_type for result in data.eval_results} == set(data.metrics)
    for title, view in (("one view", "plain"), ("flip-averaged", "flip")):
        accuracy = found[f"Accuracy, {title}"]
        assert accuracy.metric_value == pytest.approx(figures[view]["accuracy"], abs=5e-5)
        assert (accuracy.task_type, accuracy.dataset_type) == ("image-classification", "fer2013")
        assert accuracy.dataset_name == "FER2013, val (PublicTest)"
        assert accuracy.dataset_split == "val"
        macro = found[f"Macro F1, {title}"].metric_value
        assert macro == pytest.approx(figures[view]["macro_f1"], abs=5e-5)


def test_the_license_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"license: {project['license'].lower()}\n" in metadata_block(figures_of(SHIPPED[0][1]))


def test_own_images_and_unmeasured_figures_are_left_out():
    figures = {
        "name": 'a "model": 1',
        "split": "val",
        "data": {"dataset": "folders", "val_from": "source"},
        "model": {"model": "dan"},
        "plain": {"accuracy": 0.51239, "accuracy_clean": None, "macro_f1": 0.5},
        "flip": {"accuracy": 0.25},
    }
    lines = metadata_block(figures).splitlines()
    assert "datasets:" not in lines
    assert "- litert" not in lines
    start = lines.index('- name: "a \\"model\\": 1"')
    assert lines[start + 3] == (
        '    dataset: {"name": "own images, val", "type": "folders", "split": "val"}'
    )
    assert lines[start + 5 :] == [
        '    - {"type": "accuracy", "name": "Accuracy, one view", "value": 0.5124}',
        '    - {"type": "f1", "name": "Macro F1, one view", "value": 0.5}',
        '    - {"type": "accuracy", "name": "Accuracy, flip-averaged", "value": 0.25}',
        "---",
    ]


def test_a_card_without_a_block_stays_as_it_is():
    assert without_metadata("# name\n\n---\ntext\n") == "# name\n\n---\ntext\n"
