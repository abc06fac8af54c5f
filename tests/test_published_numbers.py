"""Numbers agree wherever they are published: README, results, model cards and list of trials."""

import csv
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CARDS = sorted(ROOT.glob("*/weights/*.json"))
SCORES = [("plain", "accuracy"), ("flip", "accuracy"), ("flip", "accuracy_clean")]


def figures(card):
    """One view, flip and flip without duplicates, in percent with two digits."""
    record = json.loads(card.read_text())
    return record, [f"{100 * record[view][score]:.2f}" for view, score in SCORES]


def table_row(document, name):
    """The row of the PublicTest table that begins with the name."""
    text = (ROOT / document).read_text()
    start = text.index("PublicTest, flip" if document == "README.md" else "## PublicTest")
    rows = (line for line in text[start:].splitlines() if re.match(rf"\| \[?`{name}`", line))
    return next(rows)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_the_readme_and_the_results_repeat_the_cards(card):
    record, (one_view, flip, clean) = figures(card)
    parameters = f"{record['model']['parameters']:,}"
    readme = table_row("README.md", card.stem)
    assert re.findall(r"\| ([\d.]+) %", readme)[:2] == [flip, clean]
    results = table_row("docs/results.md", card.stem)
    assert re.findall(r"\| ([\d.]+) % \[", results) == [one_view, flip, clean]
    assert parameters in readme
    assert parameters in results
    text = card.with_suffix(".md").read_text()
    assert re.findall(
        r"^\| accuracy, all images \| ([\d.]+)%.*\| ([\d.]+)%", text, re.MULTILINE
    ) == [(one_view, flip)]
    assert parameters in text


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_the_trial_that_ships_has_the_figures_of_the_card(card):
    with (ROOT / "benchmarks/accuracy/trials.csv").open(newline="") as file:
        trials = list(csv.DictReader(file))
    (trial,) = [row for row in trials if f"hips as {card.stem}" in row["remark"]]
    record, published = figures(card)
    trained = [trial["accuracy"], trial["accuracy_flip"], trial["accuracy_flip_clean"]]
    # Half precision and the temperature change a few labels of 3,589.
    for before, after in zip(trained, published, strict=True):
        assert abs(float(before) - float(after)) <= 0.1
    assert int(trial["parameters"]) == record["model"]["parameters"]


def test_private_test_figures_of_the_readme_are_those_of_the_results():
    text = (ROOT / "docs/results.md").read_text()
    section = text[text.index("## PrivateTest") : text.index("## PublicTest")]
    for card in CARDS:
        row = next(line for line in section.splitlines() if line.startswith(f"| `{card.stem}`"))
        flip = row.split("|")[4].split("%")[0].strip()
        assert re.findall(r"\| ([\d.]+) %", table_row("README.md", card.stem))[2] == flip
