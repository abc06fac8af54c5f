"""A report a person can read.

One page that says what was trained, how, how well and on what, with pictures.
"""

import dataclasses
import html
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from matplotlib.figure import Figure

from ferkit.files import written_atomically
from ferkit.recipes.recipe import Recipe
from ferkit.reporting.charts import (
    draw_calibration,
    draw_confusion,
    draw_curves,
    draw_per_class,
    figure_png,
)

# Charts are drawn on white; on a dark page their lightness is turned round and their hues stay.
# Photographs stay as they are.
STYLE = """
:root { color-scheme: light dark; --ink: #222; --soft: #666; --line: #ddd; --page: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e4e4; --soft: #a0a0a0; --line: #444; --page: #191919; }
  img.chart { filter: invert(.9) hue-rotate(180deg); }
}
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 1.5rem auto; padding: 0 1rem;
  color: var(--ink); background: var(--page); }
h1 { font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; }
h3 { font-size: 1rem; margin-bottom: 0; }
table { border-collapse: collapse; margin: .8rem 0; }
td, th { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
td:first-child, th:first-child { text-align: left; }
td:last-child, th:last-child { padding-right: 0; }
.note td { text-align: left; overflow-wrap: anywhere; }
.note td:first-child { color: var(--soft); min-width: 6.5rem; white-space: nowrap; overflow-wrap: normal; }
.sections { columns: 26rem; column-gap: 3rem; }
.sections section { break-inside: avoid; padding-top: .1rem; }
.wide { overflow-x: auto; }
p { max-width: 44rem; color: var(--soft); }
img { max-width: 100%; height: auto; }
@media (max-width: 32rem) {
  body { font-size: 14px; }
  td, th { padding-right: .5rem; }
  .note td { white-space: normal; }
  img.chart:not([src^=calibration]) { max-width: none; width: 36rem; }
}
"""

_EXPLAINED = {
    "curves.png": "Train figures are of augmented images with dropout on and penalties in the loss, so they may be worse than "
    "those of validation. The dotted line is the epoch whose model was kept: highest validation accuracy, then lowest loss.",
    "confusion.png": "A row is a true expression, a column what the model said; shares are of the row, below them the images.",
    "per_class.png": "Precision: of the images that the model gave this name, how many deserve it. Recall: of the images that "
    "deserve the name, how many got it. F1: their harmonic mean. Under a name: its images.",
    "calibration.png": "Images grouped by how sure the model was. On the dashed line it is right as often as it is sure; below "
    "the line it is too sure.",
}


def write_report(
    folder: str | Path,
    figures: dict,
    probabilities: np.ndarray,
    labels: np.ndarray,
    history: list[dict] | None = None,
    about: dict[str, str] | None = None,
    training: dict[str, dict[str, str]] | None = None,
    pictures: dict[str, str | Path | np.ndarray] | None = None,
) -> Path:
    """Write index.html, its pictures and figures.json.

    Args:
        folder: created if missing.
        figures: of ``evaluation.evaluate``.
        probabilities: ``(rows, classes)``.
        labels: ``(rows,)``.
        history: rows of history.csv, for the learning curves.
        about: name -> text, shown as what made this report.
        training: section title -> {name: text}, as of ``training_sections``.
        pictures: title -> further picture, uint8 ``(height, width, 3)``, or a file, which is
            copied.

    Returns:
        The path of index.html.
    """
    folder = Path(folder)
    shown = []
    for name, title, figure in _charts(figures, probabilities, labels, history):
        with written_atomically(folder / name) as draft:
            draft.write_bytes(figure_png(figure))
        shown.append((name, title, "chart"))
    for number, (title, picture) in enumerate((pictures or {}).items(), start=1):
        shown.append((_keep_picture(folder, f"picture{number}", picture), title, "photo"))
    with written_atomically(folder / "figures.json") as draft:
        draft.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    with written_atomically(folder / "index.html") as draft:
        draft.write_text(_page(figures, shown, training or {}, about or {}), encoding="utf-8")
    return folder / "index.html"


def _charts(
    figures: dict[str, Any],
    probabilities: np.ndarray,
    labels: np.ndarray,
    history: list[dict[str, str]] | None,
) -> Iterator[tuple[str, str, Figure]]:
    """(file name, title, matplotlib figure), in the order of the page."""
    if history:
        yield "curves.png", "Learning curves", draw_curves(history)
    confusion = draw_confusion(figures["confusion"], figures["class_names"])
    yield "confusion.png", "Confusion: which expression is taken for which", confusion
    yield "per_class.png", "Per class", draw_per_class(figures)
    yield (
        "calibration.png",
        "Calibration: is it right as often as it is sure?",
        draw_calibration(probabilities, labels),
    )


def _keep_picture(folder: Path, stem: str, picture: Path | np.ndarray) -> str:
    """Writes a picture into the report; returns its file name."""
    from PIL import Image

    is_array = isinstance(picture, np.ndarray)
    name = stem + (".png" if is_array else Path(picture).suffix)
    with written_atomically(folder / name) as draft:
        if is_array:
            Image.fromarray(picture).save(draft, format="PNG")
        else:
            shutil.copyfile(picture, draft)
    return name


def training_sections(record: dict, model: keras.Model) -> dict[str, dict[str, str]]:
    """What was trained, how, on what and with what: for ``write_report(training=...)``.

    Args:
        record: recipe.json of a run, as ``RunFolder.record()`` returns it; of an older version as
            well.
        model: the Keras model, of which ``class_names`` are told too if it has them.
    """
    recipe, dataset, made = (record.get(key, {}) for key in ("recipe", "dataset", "made_with"))
    height, width, channels = model.input_shape[1:]
    trained = {"model": recipe.get("model", "unknown"), "recipe": recipe.get("name", "unknown")}
    trained |= {
        "parameters": f"{model.count_params():,}",
        "input": f"{height} x {width} pixels, {_colours(channels)}",
    }
    rows = {f"{split} images": f"{count:,}" for split, count in dataset.get("rows", {}).items()}
    on = {
        "dataset": dataset.get("folder", "unknown"),
        **rows,
        "classes": ", ".join(getattr(model, "class_names", ())),
    }
    made = {"seed": recipe.get("seed"), **made, **made.get("packages", {})}
    made = {key: value for key, value in made.items() if key != "packages" and value is not None}
    made |= {
        f"after epoch {one['after_epoch']}": _went_on(one) for one in record.get("continued", [])
    }
    sections = {"Trained": trained, "How": _differences(recipe), "On": on, "With": made}
    return {
        title: {key: str(text) for key, text in section.items()}
        for title, section in sections.items()
    }


def _went_on(changes: dict[str, int]) -> str:
    return "went on with " + ", ".join(
        f"{key} {value}" for key, value in changes.items() if key != "after_epoch"
    )


def _colours(channels: int) -> str:
    return "gray" if channels == 1 else "colour"


def _differences(recipe: dict[str, Any]) -> dict[str, float | str]:
    """Every field that is not at ``Recipe``'s default, with what it means."""
    fields = {field.name: field for field in dataclasses.fields(Recipe)}
    texts = dict(recipe.get("model_options", {}))
    for key, value in recipe.items():
        field = fields.get(key)
        if key in ("model", "name", "model_options", "seed") or (field and value == field.default):
            continue
        texts[key] = (
            f"{value} ({field.metadata['help']})" if field and "help" in field.metadata else value
        )
    return texts


def _row(*cells, tag="td") -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"


def _table(rows: list[str], note: bool = False) -> str:
    return f"<div class=wide><table{' class=note' * note}>{''.join(rows)}</table></div>"


def _percent(value: float) -> str:
    return "none" if value is None else f"{value:.2%}"


def _interval(edges: list[float] | None) -> str:
    return f"{edges[0]:.2%} to {edges[1]:.2%}" if edges else ""


def _page(
    figures: dict[str, Any],
    shown: list[tuple[str, str, str]],
    training: dict[str, dict[str, str]],
    about: dict[str, str],
) -> str:
    model = training.get("Trained", {}).get("model")
    tta = figures.get("tta") or "none"
    views = "" if tta == "none" else f", averaged over views ({tta})"
    title = html.escape(f"{model + ' on the ' if model else ''}{figures['split']} split{views}")
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width, initial-scale=1'>",
        f"<title>{title}: {_percent(figures['accuracy'])}</title><style>{STYLE}</style>",
        f"<h1>{title}: {_percent(figures['accuracy'])} of {figures['count']:,} images right</h1>",
        *_summary(figures),
        *_training_parts(training),
        *(_picture(*one) for one in shown),
    ]
    if about:
        parts += ["<h2>Made with</h2>", _table([_row(*pair) for pair in about.items()], note=True)]
    return "\n".join([*parts, "</html>"])


def _summary(figures: dict[str, Any]) -> list[str]:
    clean, exact = (figures[f"count_clean{kind}"] for kind in ("", "_exact"))
    names = {
        "accuracy": "accuracy, all images",
        "accuracy_clean": f"accuracy, the {clean} that copy no train image, exactly or nearly",
        "accuracy_clean_exact": f"accuracy, the {exact} with no exact copy in train",
        "balanced_accuracy": "balanced accuracy: the mean recall of the classes",
        "macro_f1": "macro F1: the mean F1 of the classes",
        "expected_calibration_error": "expected calibration error: how far confidence is from accuracy",
    }
    if clean is None:
        names = {key: text for key, text in names.items() if not key.startswith("accuracy_")}
    classes = [
        _row(
            name,
            *(_percent(own[key]) for key in ("precision", "recall", "f1")),
            f"{own['support']:,}",
        )
        for name, own in figures["per_class"].items()
    ]
    heads = _row("class", "precision", "recall", "F1", "images", tag="th")
    shares = [_row("", "", "95 % interval", tag="th")]
    shares += [
        _row(text, _percent(figures[key]), _interval(figures.get(f"{key}_interval")))
        for key, text in names.items()
    ]
    return ["<h2>How well</h2>", _table(shares), _table([heads, *classes])]


def _training_parts(training: dict[str, dict[str, str]]) -> list[str]:
    if not training:
        return []
    parts = ["<h2>The training</h2>", "<div class=sections>"]
    for title, section in training.items():
        rows = _table([_row(*pair) for pair in section.items()], note=True)
        note = "<p>Whatever is not listed here is at its default.</p>" if title == "How" else ""
        parts.append(f"<section><h3>{html.escape(title)}</h3>{rows}{note}</section>")
    return [*parts, "</div>"]


def _picture(name: str, title: str, kind: str) -> str:
    title, words = html.escape(title), _EXPLAINED.get(name, "")
    note = f"<p>{html.escape(words)}</p>" if words else ""
    return f"<h2>{title}</h2>{note}<div class=wide><img class={kind} src='{html.escape(name)}' alt='{title}'></div>"
