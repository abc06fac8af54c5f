"""The charts of a report, as Matplotlib figures.

They are made without pyplot, so there is no global state and no screen is needed.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ferkit.evaluation.metrics import calibration_bins
from ferkit.evaluation.selective import risk_coverage
from ferkit.training.run_folder import RunFolder

_ACCENT = "#0c6b5e"  # as in theme.css
_BEST = "#D55E00"  # marks the best epoch


def figure_png(figure: Figure, dpi: int = 110) -> bytes:
    """A Matplotlib figure as PNG."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=dpi)
    return out.getvalue()


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def draw_confusion(
    confusion: Sequence[Sequence[int]] | np.ndarray, class_names: Sequence[str]
) -> Figure:
    """A confusion matrix: the fraction of the true class as color and text, the count below it.

    Args:
        confusion: counts ``(classes, classes)``: row = true class, column = predicted class.
        class_names: the classes, in that order.
    """
    counts = np.array(confusion)
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = _figure(1.3 + 0.75 * len(class_names), 1.5 + 0.7 * len(class_names))
    axes = figure.subplots()
    axes.imshow(
        fractions,
        cmap=LinearSegmentedColormap.from_list("accent", ["white", _ACCENT]),
        vmin=0,
        vmax=1,
    )
    for row, column in np.ndindex(counts.shape):
        text = f"{fractions[row, column]:.0%}\n{counts[row, column]:,}"
        color = "white" if fractions[row, column] > 0.65 else "#222"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=color)
    axes.set(
        xticks=range(len(class_names)),
        yticks=range(len(class_names)),
        xlabel="predicted",
        ylabel="true",
    )
    axes.set_xticklabels(class_names, rotation=45, ha="right")
    axes.set_yticklabels(class_names)
    return figure


def draw_per_class(figures: dict[str, Any]) -> Figure:
    """Precision, recall and F1 of each class as bars; `figures` from ``evaluation.evaluate``."""
    names = figures["class_names"]
    figure = _figure(2 + len(names), 4)
    axes = figure.subplots()
    positions = np.arange(len(names))
    for index, (key, color) in enumerate(
        (("precision", "#a9d5cd"), ("recall", "#4aa394"), ("f1", "#0a4f45"))
    ):
        heights = [figures["per_class"][name][key] for name in names]
        axes.bar(
            positions + (index - 1) * 0.27,
            heights,
            0.25,
            label="F1" if key == "f1" else key,
            color=color,
        )
    axes.set_xticks(
        positions, [f"{name}\n{figures['per_class'][name]['support']:,}" for name in names]
    )
    axes.set(ylim=(0, 1), ylabel="fraction")
    _tidy(axes)
    figure.legend(ncols=3, loc="outside upper right", frameon=False)
    return figure


def draw_calibration(probabilities: np.ndarray, labels: np.ndarray) -> Figure:
    """A reliability diagram, with the number of images in each bin below it.

    Args:
        probabilities: ``(rows, classes)``.
        labels: ``(rows,)``.

    Reference: Guo et al., arXiv 1706.04599, figure 1.
    """
    count, confidence, accuracy = calibration_bins(probabilities, labels).T
    used = count > 0
    figure = _figure(6, 6)
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    upper.plot([0, 1], [0, 1], "--", color="#999", label="accuracy = confidence")
    upper.plot(
        confidence[used], accuracy[used], "o-", color=_ACCENT, label="this model", clip_on=False
    )
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    upper.legend(loc="upper left", frameon=False)
    lower.bar((np.arange(len(count)) + 0.5) / len(count), count, 0.9 / len(count), color="#a9d5cd")
    lower.set(xlabel="confidence", ylabel="images")
    for axes in (upper, lower):
        _tidy(axes)
    return figure


def draw_risk_coverage(probabilities: np.ndarray, labels: np.ndarray) -> Figure:
    """The error among the most confident predictions, for each fraction of images answered.

    Args:
        probabilities: ``(rows, classes)``.
        labels: ``(rows,)``.
    """
    coverage, error, area = risk_coverage(probabilities, labels)
    figure = _figure(6, 4)
    axes = figure.subplots()
    axes.plot(coverage, error, color=_ACCENT, label=f"area under the curve: {area:.3f}")
    axes.set(xlabel="fraction of images answered", ylabel="error among them", xlim=(0, 1))
    axes.set_ylim(0, max(0.05, 1.1 * float(error.max())))
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend(loc="upper left", frameon=False)
    _tidy(axes)
    return figure


def draw_robustness(robustness: dict[str, Any]) -> Figure:
    """Accuracy, calibration error and confident predictions by corruption and severity, as maps.

    Args:
        robustness: figures of ``evaluation.robustness.measure_robustness``.
    """
    names = list(robustness["corruptions"])
    titles = {
        "accuracy": ("accuracy", "Blues"),
        "expected_calibration_error": ("calibration error", "Oranges"),
        "above_threshold": (f"confidence of {robustness['threshold']:.0%} or more", "Greens"),
    }
    figure = _figure(11, 1.4 + 0.36 * len(names))
    for axes, (key, (title, colors)) in zip(
        figure.subplots(1, 3, sharey=True), titles.items(), strict=True
    ):
        values = np.full((1 + len(names), 6), np.nan)
        values[0, 0] = robustness["clean"][key]
        for row, levels in enumerate(robustness["corruptions"].values(), start=1):
            for level in levels:
                values[row, level["severity"]] = level[key]
        limit = 0.5 if key == "expected_calibration_error" else 1.0
        axes.imshow(values, cmap=colors, vmin=0, vmax=limit, aspect="auto")
        for row, column in np.argwhere(~np.isnan(values)):
            color = "white" if values[row, column] > 0.65 * limit else "#222"
            text = f"{values[row, column]:.0%}"
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=color)
        axes.set(title=title, xlabel="severity", xticks=range(6), yticks=range(len(values)))
        axes.set_xticklabels(["none", *"12345"])
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_yticklabels(["no corruption", *(name.replace("_", " ") for name in names)])
    return figure


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)


def draw_curves(history: list[dict[str, str]]) -> Figure:
    """Loss and accuracy of each epoch, and below them the learning rate if it is recorded.

    Args:
        history: rows of history.csv, one or more; missing columns are left out.
    """
    with_rate = all(row.get("learning_rate") for row in history)
    figure = _figure(10, 6 if with_rate else 4.2)
    layout: list[Any] = [["loss", "accuracy"], *([["rate", "rate"]] if with_rate else [])]
    panels: dict[str, Axes] = figure.subplot_mosaic(layout, height_ratios=(3, 1)[: len(layout)])
    _draw_columns(panels["loss"], history, {"loss": "train", "val_loss": "validation"})
    fractions = {
        "accuracy": "train",
        "val_accuracy": "validation",
        "val_accuracy_clean": "validation, without duplicates of train",
    }
    _draw_columns(panels["accuracy"], history, fractions)
    panels["loss"].set(xlabel="epoch", ylabel="loss")
    panels["accuracy"].set(xlabel="epoch", ylabel="accuracy")
    panels["accuracy"].yaxis.set_major_formatter("{x:.0%}")
    if with_rate:
        _draw_columns(panels["rate"], history, {"learning_rate": None})
        rates = [float(row["learning_rate"]) for row in history]
        panels["rate"].set(xlabel="epoch", ylabel="learning rate", ylim=(0, 1.15 * max(rates) or 1))
        if 0 < min(rates) < max(rates) / 20:
            panels["rate"].set(yscale="log", ylim=(min(rates) / 1.5, max(rates) * 1.5))
    _mark_best_epoch(figure, panels, history)
    return figure


def _mark_best_epoch(
    figure: Figure, panels: Mapping[str, Axes], history: list[dict[str, str]]
) -> None:
    best = RunFolder.best_epoch(history)
    epoch, accuracy = int(best["epoch"]), float(best["val_accuracy"])
    for axes in panels.values():
        axes.axvline(epoch, color=_BEST, linestyle=":", linewidth=1.2, zorder=1)
        _tidy(axes)
    panels["accuracy"].plot(epoch, accuracy, "o", color=_BEST, markersize=7, zorder=4)
    title = f"Best: epoch {epoch} of {len(history)}, validation accuracy {accuracy:.2%}"
    figure.suptitle(title, fontsize=11, color="#222", x=0.01, ha="left")


def _draw_columns(
    axes: Axes, history: list[dict[str, str]], columns: Mapping[str, str | None]
) -> None:
    styles = {"train": ("#7fc2b5", "-"), "validation": (_ACCENT, "-"), None: ("#555555", "-")}
    epochs = [int(row["epoch"]) for row in history]
    for column, label in columns.items():
        if not all(row.get(column) for row in history):
            continue
        color, line = styles.get(label, (_ACCENT, "--"))
        marker = "o" if len(epochs) < 20 else ""
        values = [float(row[column]) for row in history]
        axes.plot(
            epochs,
            values,
            line,
            label=label,
            color=color,
            marker=marker,
            markersize=3.5,
            linewidth=1.4,
        )
    if len(epochs) < 2:
        axes.set(xlim=(epochs[0] - 0.5, epochs[0] + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if any(columns.values()):
        # The legend hides the line of the best epoch where they overlap.
        axes.legend(fontsize=8, edgecolor="none", framealpha=0.9)
