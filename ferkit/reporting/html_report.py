"""The HTML report of a model: results, training, charts and pictures on one page."""

import dataclasses
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ferkit.evaluation.evaluate import clean_rows
from ferkit.evaluation.groups import gap_text
from ferkit.evaluation.robustness import DEFINITION, robustness_means, summary
from ferkit.files import write_json, written_atomically
from ferkit.input_pipeline.learned import learned_note
from ferkit.recipes.recipe import Recipe
from ferkit.reporting.charts import (
    draw_calibration,
    draw_confusion,
    draw_curves,
    draw_per_class,
    draw_risk_coverage,
    draw_robustness,
    figure_png,
)
from ferkit.reporting.html import environment

_NOTES = {
    "curves.png": "Train figures are computed on augmented images, with dropout, and with "
    "regularization in the loss, so they may be worse than those of validation. The dotted line is "
    "the epoch whose model was kept: highest validation accuracy, then lowest loss.",
    "confusion.png": "A row is a true expression, a column a predicted one. Percentages are of the "
    "row; the numbers of images are below them.",
    "per_class.png": "Precision: of the images predicted as this class, the fraction that belongs "
    "to it. Recall: of the images that belong to this class, the fraction predicted as it. F1: "
    "their harmonic mean. The number of images is below the class.",
    "calibration.png": "Images are grouped by the confidence of the prediction. On the dashed "
    "line, accuracy equals confidence; below the line, the model is overconfident.",
    "risk_coverage.png": "Faces are answered in the order of their confidence, the most confident "
    "first. On the right, all are answered, and the error is that of all images.",
    "robustness.png": "The same images with each corruption in up to five severities. A model that "
    "knows its limits loses confidence where it loses accuracy, and its calibration error stays "
    "low.",
}


@dataclasses.dataclass(frozen=True)
class ReportPicture:
    """A picture on the page.

    Attributes:
        name: its file in the folder of the report.
        title: the heading above it.
        css_class: "chart", which a dark page inverts, or "photo".
        note: how to read it, or "".
    """

    name: str
    title: str
    css_class: str
    note: str = ""


def write_report(
    folder: str | Path,
    figures: dict[str, Any],
    probabilities: np.ndarray,
    labels: np.ndarray,
    history: list[dict[str, str]] | None = None,
    about: Mapping[str, str] | None = None,
    training: Mapping[str, Mapping[str, str]] | None = None,
    pictures: Mapping[str, str | Path | np.ndarray] | None = None,
) -> Path:
    """Write index.html, its pictures and figures.json.

    Args:
        folder: created if missing.
        figures: those of ``evaluation.evaluate``.
        probabilities: ``(rows, classes)``.
        labels: ``(rows,)``.
        history: rows of history.csv, for the learning curves.
        about: name -> text: what made this report.
        training: section title -> {name: text}, as from ``training_sections``.
        pictures: title -> further picture: uint8 ``(height, width, 3)``, or a file, which is
            copied.

    Returns:
        The path of index.html.
    """
    folder = Path(folder)
    shown = []
    for name, title, chart in _charts(figures, probabilities, labels, history):
        with written_atomically(folder / name) as draft:
            draft.write_bytes(figure_png(chart))
        shown.append(ReportPicture(name, title, "chart", _NOTES[name]))
    for number, (title, picture) in enumerate((pictures or {}).items(), start=1):
        name = _write_picture(folder, f"picture{number}", picture)
        shown.append(ReportPicture(name, title, "photo"))
    write_json(folder / "figures.json", figures)
    with written_atomically(folder / "index.html") as draft:
        draft.write_text(_page(figures, shown, training or {}, about or {}), encoding="utf-8")
    return folder / "index.html"


def _charts(
    figures: dict[str, Any],
    probabilities: np.ndarray,
    labels: np.ndarray,
    history: list[dict[str, str]] | None,
) -> Iterator[tuple[str, str, Figure]]:
    """``(file name, title, chart)``, in the order of the page."""
    if history:
        yield "curves.png", "Learning curves", draw_curves(history)
    confusion = draw_confusion(figures["confusion"], figures["class_names"])
    yield "confusion.png", "Confusion: which expression is predicted for which", confusion
    yield "per_class.png", "Per class", draw_per_class(figures)
    calibration = draw_calibration(probabilities, labels)
    yield "calibration.png", "Calibration: does accuracy equal confidence?", calibration
    chart = draw_risk_coverage(probabilities, labels)
    yield "risk_coverage.png", "Risk and coverage: is a confident prediction right?", chart
    if "robustness" in figures:
        chart = draw_robustness(figures["robustness"])
        yield "robustness.png", "Robustness: how much do corruptions reduce the accuracy?", chart


def _write_picture(folder: Path, stem: str, picture: str | Path | np.ndarray) -> str:
    """Write a picture into the report; returns its file name."""
    name = stem + (".png" if isinstance(picture, np.ndarray) else Path(picture).suffix)
    with written_atomically(folder / name) as draft:
        if isinstance(picture, np.ndarray):
            Image.fromarray(picture).save(draft, format="PNG")
        else:
            shutil.copyfile(picture, draft)
    return name


def training_sections(record: dict[str, Any], model: keras.Model) -> dict[str, dict[str, str]]:
    """What was trained, how, on what and with what: for ``write_report(training=...)``.

    Args:
        record: recipe.json of a run, as ``RunFolder.record()`` returns it, also of older versions.
        model: the Keras model.

    Returns:
        Section title -> {name: text}.
    """
    recipe, dataset = record.get("recipe", {}), record.get("dataset", {})
    height, width, channels = model.input_shape[1:]
    sections = {
        "Trained": {
            "model": recipe.get("model", "unknown"),
            "recipe": recipe.get("name", "unknown"),
            "parameters": f"{model.count_params():,}",
            "input": f"{height} x {width} pixels, {'gray' if channels == 1 else 'color'}",
        },
        "How": _changed_settings(recipe),
        "On": {
            "dataset": dataset.get("folder", "unknown"),
            **{f"{split} images": f"{count:,}" for split, count in dataset.get("rows", {}).items()},
            "classes": ", ".join(getattr(model, "class_names", ())),
        },
        "With": _provenance_facts(record, recipe.get("seed")),
    }
    return {
        title: {key: str(text) for key, text in section.items()}
        for title, section in sections.items()
    }


def _provenance_facts(record: dict[str, Any], seed: int | None) -> dict[str, Any]:
    made_with = record.get("made_with", {})
    facts = {"seed": seed, **made_with, **made_with.get("packages", {})}
    facts = {key: fact for key, fact in facts.items() if key != "packages" and fact is not None}
    for changes in record.get("continued", []):
        values = [f"{key} {value}" for key, value in changes.items() if key != "after_epoch"]
        facts[f"after epoch {changes['after_epoch']}"] = f"continued with {', '.join(values)}"
    return facts


def _changed_settings(recipe: dict[str, Any]) -> dict[str, Any]:
    """Every field that differs from ``Recipe``'s default, with its help text."""
    fields = {field.name: field for field in dataclasses.fields(Recipe)}
    settings = dict(recipe.get("model_options", {}))
    for key, value in recipe.items():
        field = fields.get(key)
        if key in ("model", "name", "model_options", "seed") or (field and value == field.default):
            continue
        has_help = field and "help" in field.metadata
        settings[key] = f"{value} ({field.metadata['help']})" if field and has_help else value
    return settings


def _page(
    figures: dict[str, Any],
    pictures: Sequence[ReportPicture],
    training: Mapping[str, Mapping[str, str]],
    about: Mapping[str, str],
) -> str:
    model = training.get("Trained", {}).get("model")
    tta = figures.get("tta") or "none"
    views = "" if tta == "none" else f", averaged over views ({tta})"
    template = environment("ferkit.reporting").get_template("report.html.j2")
    return template.render(
        title=f"{f'{model} on the ' if model else ''}{figures['split']} split{views}",
        figures=figures,
        learned=learned_note(figures),
        measures=_measures(figures),
        robustness=_robustness(figures["robustness"]) if "robustness" in figures else None,
        groups=_groups(figures.get("groups", {})),
        training=training,
        pictures=pictures,
        about=about,
    )


def _robustness(robustness: dict[str, Any]) -> dict[str, Any]:
    """What the template shows of ``evaluation.robustness.measure_robustness``."""
    return {
        "text": f"{robustness['images']:,} images, drawn at random: {summary(robustness)}. "
        f"{DEFINITION}",
        "threshold": robustness["threshold"],
        "rows": {"none": robustness["clean"], **robustness_means(robustness)},
    }


def _groups(groups: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the template shows of ``evaluation.groups.measure_groups``."""
    return {
        column: {"rows": found["groups"], "text": gap_text(found, len(groups))}
        for column, found in groups.items()
    }


def _measures(figures: dict[str, Any]) -> dict[str, str]:
    """Key of a figure -> description, in the order of the page."""
    if figures["count_clean"] is None:  # without train rows, duplicates are unknown
        duplicates = {}
    else:
        duplicates = {
            "accuracy_clean": "accuracy, the "
            + clean_rows(figures, "count_clean", "exact or near duplicates"),
            "accuracy_clean_exact": "accuracy, the "
            + clean_rows(figures, "count_clean_exact", "exact duplicates"),
        }
    return {
        "accuracy": "accuracy, all images",
        **duplicates,
        "balanced_accuracy": "balanced accuracy: the mean recall of the classes",
        "macro_f1": "macro F1: the mean F1 of the classes",
        "expected_calibration_error": "expected calibration error: the mean difference between "
        "confidence and accuracy",
    }
