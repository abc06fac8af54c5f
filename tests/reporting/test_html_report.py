"""The report page: its content, its markup, and that names from a user's files are escaped."""

import html.parser
import json

import numpy as np
import pytest
from PIL import Image

from ferkit.evaluation.metrics import measure, softmax
from ferkit.recipes.named import named_recipe
from ferkit.reporting.charts import draw_confusion, draw_curves, draw_robustness, figure_png
from ferkit.reporting.html_report import training_sections, write_report

CHARTS = {"curves.png", "confusion.png", "per_class.png", "calibration.png", "risk_coverage.png"}


class Model:
    """The parts of a Keras model that the sections use."""

    input_shape, class_names = (None, 48, 48, 1), ("calm", "<b>cross</b>")

    def count_params(self):
        return 47657


class Page(html.parser.HTMLParser):
    """Its pictures and its text; checks that elements are closed in order."""

    def __init__(self, path):
        super().__init__()
        self.images, self.text, self.tags, self.open = [], "", set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "img":
            self.images.append(dict(attributes)["src"])
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def history(count, **changes):
    """Epochs as text, as history.csv holds them."""
    columns = {
        "learning_rate": "0.01",
        "loss": "1.5",
        "accuracy": "0.4",
        "val_loss": "1.4",
        "val_accuracy_clean": "0.38",
    }
    rows = [
        columns | {"epoch": str(k + 1), "val_accuracy": f"{0.4 - 0.01 * abs(k - 2):.3f}"}
        for k in range(count)
    ]
    return [row | changes for row in rows]


@pytest.fixture
def measured(toy_split, rng):
    """Figures, probabilities and labels of random predictions on a split."""
    split = toy_split("val", 70, copies=[(0, "exact"), (1, "near")])
    logits = rng.normal(size=(70, 7)) * 2
    return measure(logits, split), softmax(logits), split.labels


@pytest.fixture
def record():
    recipe = json.loads(named_recipe("deep_emotion", "paper", seed=4).to_json())
    dataset = {"folder": "data/<mine>", "rows": {"train": 28709, "val": 3589}}
    made = {
        "command": "main.py train",
        "commit": "abc",
        "machine": "Linux",
        "packages": {"keras": "3.15.1", "stn": None},
    }
    return {"recipe": recipe, "dataset": dataset, "made_with": made}


def test_the_sections_describe_model_settings_data_and_provenance(record):
    sections = training_sections(record, Model())
    assert list(sections) == ["Trained", "How", "On", "With"]
    assert sections["Trained"] == {
        "model": "deep_emotion",
        "recipe": "paper",
        "parameters": "47,657",
        "input": "48 x 48 pixels, gray",
    }
    how = sections["How"]
    assert how["epochs"] == "500 (passes over the training images)"
    assert how["variant"] == "paper"
    assert {"batch_size", "optimizer", "seed", "model", "name"}.isdisjoint(how), (
        "at their defaults, or shown elsewhere"
    )
    assert sections["On"] == {
        "dataset": "data/<mine>",
        "train images": "28,709",
        "val images": "3,589",
        "classes": "calm, <b>cross</b>",
    }
    assert sections["With"] == {
        "seed": "4",
        "command": "main.py train",
        "commit": "abc",
        "machine": "Linux",
        "keras": "3.15.1",
    }


def test_a_record_of_another_version_is_accepted(record):
    record["recipe"] |= {"wings": 2}
    record["continued"] = [{"after_epoch": 3, "epochs": 9}]
    del record["dataset"]
    sections = training_sections(record, Model())
    assert sections["How"]["wings"] == "2"
    assert sections["On"]["dataset"] == "unknown"
    assert sections["With"]["after epoch 3"] == "continued with epochs 9"


def test_the_page_contains_everything_and_escapes_names(tmp_path, measured, record):
    figures, probabilities, labels = measured
    faces = np.full((40, 60, 3), 9, np.uint8)
    Image.fromarray(faces).save(tmp_path / "drawn.png")
    page = write_report(
        tmp_path / "report",
        figures,
        probabilities,
        labels,
        history(6),
        about={"checkpoint": "a&b <i>"},
        training=training_sections(record, Model()),
        pictures={"What <it> looks at": faces, "From a file": tmp_path / "drawn.png"},
    )
    read = Page(page)
    assert read.open == ["html"] or not read.open
    assert set(read.images) == CHARTS | {"picture1.png", "picture2.png"}
    for name in read.images:
        Image.open(page.parent / name).verify()
    assert not {"b", "i", "it", "mine"} & read.tags, "a user's text became an element"
    for text in (
        f"{figures['accuracy']:.2%}",
        "data/<mine>",
        "a&b <i>",
        "What <it> looks at",
        "<b>cross</b>",
        "47,657",
    ):
        assert text in read.text
    source = page.read_text()
    assert "prefers-color-scheme: dark" in source
    assert "width=device-width" in source
    assert json.loads((page.parent / "figures.json").read_text()) == figures


def test_a_page_needs_neither_history_nor_record(tmp_path, measured):
    page = Page(write_report(tmp_path, *measured))
    assert set(page.images) == CHARTS - {"curves.png"}
    assert "The training" not in page.text
    assert "Made with" not in page.text


def test_without_train_rows_the_page_does_not_mention_duplicates(tmp_path, measured):
    figures, probabilities, labels = measured
    with_train = Page(write_report(tmp_path, figures, probabilities, labels)).text
    assert "without exact or near duplicates of the dataset's train images" in with_train
    assert "without exact duplicates of the dataset's train images" in with_train
    figures |= dict.fromkeys(
        ("accuracy_clean", "accuracy_clean_exact", "count_clean", "count_clean_exact")
    )
    text = Page(write_report(tmp_path, figures, probabilities, labels)).text
    assert "duplicate" not in text.split("Confusion")[0]


def robustness_figures():
    """Figures as ``measure_robustness`` returns them, of two corruptions."""
    row = {"accuracy": 0.6, "expected_calibration_error": 0.05, "above_threshold": 0.9}
    return {
        "images": 1234,
        "seed": 0,
        "tta": "none",
        "threshold": 0.4,
        "clean": row,
        "mean_accuracy": 0.45,
        "relative_accuracy": 0.75,
        "corruptions": {
            "low_resolution": [
                {**row, "severity": level, "accuracy": 0.5 - 0.1 * level} for level in range(1, 6)
            ],
            "mirrored": [{**row, "severity": 1, "accuracy": 0.7}],
        },
    }


def test_robustness_is_a_section_and_a_chart(tmp_path, measured):
    figures, probabilities, labels = measured
    robust = {**figures, "robustness": robustness_figures()}
    page = Page(write_report(tmp_path, robust, probabilities, labels))
    assert set(page.images) == CHARTS - {"curves.png"} | {"robustness.png"}
    assert "1,234 images" in page.text
    assert "75.0% of the 60.0%" in page.text
    rows = page.text.partition("mean over severities")[2]
    assert "low resolution" in rows
    assert "20.00%" in rows  # the mean of 40, 30, 20, 10 and 0 %


def test_the_chart_shows_every_severity():
    figure = draw_robustness(robustness_figures())
    accuracy, calibration, confident = figure.axes
    texts = {text.get_position(): text.get_text() for text in accuracy.texts}
    expected = {(0, 0): "60%", (1, 2): "70%"}
    expected |= {(level, 1): f"{50 - 10 * level}%" for level in range(1, 6)}
    assert texts == expected
    assert [label.get_text() for label in accuracy.get_yticklabels()] == [
        "no corruption",
        "low resolution",
        "mirrored",
    ]
    assert calibration.get_title() == "calibration error"
    assert confident.get_title() == "confidence of 40% or more"


def test_averaging_over_views_is_shown(tmp_path, measured):
    figures, probabilities, labels = measured
    page = write_report(tmp_path, {**figures, "tta": "flip"}, probabilities, labels)
    assert "averaged over views (flip)" in Page(page).text


@pytest.mark.parametrize(
    "rows",
    [
        history(1),
        history(30),
        history(3, val_accuracy_clean=""),
        [
            {key: value for key, value in row.items() if key != "learning_rate"}
            for row in history(4)
        ],
        history(2, learning_rate="0"),
        [row | {"learning_rate": f"{0.1**k:.6g}"} for k, row in enumerate(history(5))],
    ],
    ids=["one epoch", "many", "no clean", "no rate", "rate zero", "steep rate"],
)
def test_curves_of_any_history(rows, tmp_path, measured):
    write_report(tmp_path, *measured, rows)
    assert Image.open(tmp_path / "curves.png").size[0] > 1000


def test_the_curves_mark_the_best_epoch(measured):
    figure = draw_curves(history(6))
    assert figure.get_suptitle() == "Best: epoch 3 of 6, validation accuracy 40.00%"
    axes = {axes.get_ylabel(): axes for axes in figure.axes}
    assert set(axes) == {"loss", "accuracy", "learning rate"}
    assert len(axes["accuracy"].get_legend().get_texts()) == 3


def test_a_confusion_matrix_needs_no_screen():
    png = figure_png(draw_confusion(np.array([[3, 1], [0, 0]]), ("calm", "cross")))
    assert png.startswith(b"\x89PNG")
