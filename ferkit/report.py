"""A report a person can read: one page with the figures and the pictures that go with them."""

import html
import json
from pathlib import Path

import numpy as np

from .atomic import atomic_path
from .metrics import calibration_bins

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { padding: .25rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
td:first-child, th:first-child { text-align: left; }
.note td { color: #666; text-align: left; overflow-wrap: anywhere; }
img { max-width: 100%; }
"""


def write_report(folder: str | Path, figures: dict, probabilities: np.ndarray, labels: np.ndarray, history=None, about=None):
    """Write index.html, its pictures and figures.json.

    Args:
        folder: created if missing.
        figures: of ``evaluation.evaluate``.
        probabilities: ``(rows, classes)``.
        labels: ``(rows,)``.
        history: rows of history.csv, for the learning curves.
        about: name -> text, shown as what made this report.

    Returns:
        The path of index.html.
    """
    import matplotlib

    matplotlib.use("Agg")
    folder = Path(folder)
    pictures = {
        "confusion.png": ("Confusion: which expression is taken for which", lambda: _confusion(figures)),
        "per_class.png": ("Per class", lambda: _per_class(figures)),
        "calibration.png": (
            "Calibration: is it right as often as it is sure?",
            lambda: _calibration(probabilities, labels),
        ),
    }
    if history:
        pictures["curves.png"] = ("Learning curves", lambda: _curves(history))
    for name, (_, draw) in pictures.items():
        _save(folder / name, draw())
    with atomic_path(folder / "figures.json") as draft:
        draft.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    with atomic_path(folder / "index.html") as draft:
        draft.write_text(_page(figures, {name: title for name, (title, _) in pictures.items()}, about or {}), encoding="utf-8")
    return folder / "index.html"


def _save(path, figure):
    import matplotlib.pyplot as plt

    with atomic_path(path) as draft:
        figure.savefig(draft, format="png", dpi=110)
    plt.close(figure)


def _axes(width, height):
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")


def _confusion(figures):
    counts, names = np.array(figures["confusion"]), figures["class_names"]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = _axes(2 + 0.75 * len(names), 1.5 + 0.7 * len(names))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        text = f"{shares[row, column]:.0%}\n{counts[row, column]}"
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=8,
            color="white" if shares[row, column] > 0.5 else "#222",
        )
    axes.set(xticks=range(len(names)), yticks=range(len(names)), xlabel="predicted", ylabel="true")
    axes.set_xticklabels(names, rotation=45, ha="right")
    axes.set_yticklabels(names)
    return figure


def _per_class(figures):
    names = figures["class_names"]
    figure, axes = _axes(2 + len(names), 4)
    place = np.arange(len(names))
    for index, (key, color) in enumerate((("precision", "#9ecae1"), ("recall", "#4292c6"), ("f1", "#08306b"))):
        axes.bar(
            place + (index - 1) * 0.27,
            [figures["per_class"][name][key] for name in names],
            0.25,
            label=key,
            color=color,
        )
    axes.set_xticks(place, [f"{name}\n{figures['per_class'][name]['support']:,}" for name in names])
    axes.set(ylim=(0, 1), ylabel="share")
    axes.legend(ncols=3, loc="upper right")
    return figure


def _calibration(probabilities, labels):
    count, confidence, accuracy = calibration_bins(probabilities, labels).T
    used = count > 0
    figure, (upper, lower) = _axes_pair()
    upper.plot([0, 1], [0, 1], "--", color="#999", label="perfect")
    upper.plot(confidence[used], accuracy[used], "o-", color="#08519c", label="this model")
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    upper.legend(loc="upper left")
    lower.bar((np.arange(len(count)) + 0.5) / len(count), count, 0.9 / len(count), color="#9ecae1")
    lower.set(xlabel="confidence", ylabel="images", xlim=(0, 1))
    return figure


def _axes_pair():
    import matplotlib.pyplot as plt

    return plt.subplots(2, 1, figsize=(6, 6), height_ratios=(3, 1), layout="constrained")


def _curves(history):
    import matplotlib.pyplot as plt

    epochs = [int(row["epoch"]) for row in history]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for axes, key in ((left, "loss"), (right, "accuracy")):
        for column, label, color in ((key, "train", "#9ecae1"), (f"val_{key}", "validation", "#08519c")):
            axes.plot(
                epochs,
                [float(row[column]) for row in history],
                label=label,
                color=color,
                marker="o" if len(epochs) < 20 else "",
            )
        axes.set(xlabel="epoch", ylabel=key)
        axes.legend()
    left.set_title("train: augmented, dropout on, with penalty", fontsize=9, color="#666")
    return figure


def _page(figures, pictures, about):
    def row(*cells, tag="td"):
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    def percent(value):
        return "none" if value is None else f"{value:.2%}"

    names = {
        "accuracy": "accuracy, all images",
        "accuracy_clean": f"accuracy, the {figures['count_clean']} that copy no train image, exactly or nearly",
        "accuracy_clean_exact": f"accuracy, the {figures['count_clean_exact']} with no exact copy in train",
        "balanced_accuracy": "balanced accuracy",
        "macro_f1": "macro F1",
        "expected_calibration_error": "expected calibration error",
    }
    classes = [
        row(name, *(f"{own[key]:.2%}" for key in ("precision", "recall", "f1")), own["support"])
        for name, own in figures["per_class"].items()
    ]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>Evaluation, {figures['split']} split</title><style>{_STYLE}</style>",
        f"<h1>{figures['split']} split, {figures['count']:,} images</h1>",
        "<table>" + "".join(row(text, percent(figures[key])) for key, text in names.items()) + "</table>",
        "<table>" + row("class", "precision", "recall", "F1", "images", tag="th") + "".join(classes) + "</table>",
        *(f"<h2>{title}</h2><img src={name} alt='{title}'>" for name, title in pictures.items()),
        "<h2>Made with</h2><table class=note>" + "".join(row(*pair) for pair in about.items()) + "</table></html>",
    ]
    return "\n".join(parts)
