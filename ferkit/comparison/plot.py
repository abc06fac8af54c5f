"""The plot of a comparison: accuracy against speed, and learning curves."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from matplotlib.transforms import Bbox, BboxBase

from ferkit.comparison.speed import SPEED_BATCH

# Okabe and Ito's colors, which differ for any color vision (jfly.uni-koeln.de/color). Markers
# differ too.
MARKERS, DASHES = "osD^vPXp", ("-", "--", ":", "-.")
INK = "#222222"
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# Distances of a label from its point, in points, in the order they are tried.
DISTANCES = (9, 16, 24, 34, 46, 60, 80)
SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))  # (right, up)
POINT_RADIUS = 7  # pixels

Row = Mapping[str, Any]
Styles = Mapping[str, Mapping[str, Any]]  # contestant -> color, marker and linestyle


def draw_comparison(rows: Sequence[Row], results: Sequence[Row]) -> Figure:
    """Accuracy against speed on the left, learning curves on the right.

    Args:
        rows: one for each contestant, as in compare.csv.
        results: one for each run, with its ``history``.
    """
    figure = Figure(figsize=(13, 5.6 + 0.22 * max(0, len(rows) - 12)), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a screen
    left, right = figure.subplots(1, 2)
    styles = {row["contestant"]: _style(k) for k, row in enumerate(rows)}
    _draw_learning_curves(right, results, styles)
    _draw_costs(left, rows, styles)
    for axes in (left, right):
        axes.grid(color="#e5e5e5", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK)
    handles = [Line2D([], [], linewidth=1, **style) for style in styles.values()]
    figure.legend(
        handles, list(styles), loc="outside lower center", ncols=min(5, len(rows)), frameon=False
    )
    figure.draw_without_rendering()  # computes the layout, which the positions of labels depend on
    _label_points(left, [row for row in rows if row["val_accuracy"] is not None], styles)
    return figure


def _style(index: int) -> dict[str, Any]:
    return {
        "color": COLORS[index % len(COLORS)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": DASHES[index // len(COLORS) % len(DASHES)],
    }


def _draw_costs(axes: Axes, rows: Sequence[Row], styles: Styles) -> None:
    for row in rows:
        if row["val_accuracy"] is None:
            continue
        style, spread = styles[row["contestant"]], row["val_accuracy_spread"]
        x, y = _point(row)
        bar = None if spread is None else spread * 100
        axes.errorbar(x, y, yerr=bar, fmt="none", ecolor=style["color"], capsize=4, zorder=2)
        axes.plot(x, y, **style, markersize=8, markeredgecolor="white", zorder=3)
    speeds = [row["inference_images_per_second"] for row in rows]
    if max(speeds) > 4 * min(speeds):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.18, y=0.15)
    has_bars = any(row["val_accuracy_spread"] is not None for row in rows)
    note = " (bar: ± standard deviation)" if has_bars else ""
    axes.set(xlabel=f"inference, images/s at batch {SPEED_BATCH}", ylabel="validation accuracy, %")
    axes.set_title(f"Accuracy against speed{note}", loc="left", fontsize=11, color=INK)


def _point(row: Row) -> tuple[float, float]:
    return row["inference_images_per_second"], row["val_accuracy"] * 100


def _draw_learning_curves(axes: Axes, results: Sequence[Row], styles: Styles) -> None:
    for result in results:
        epochs = [int(row["epoch"]) for row in result["history"]]
        accuracies = [float(row["val_accuracy"]) * 100 for row in result["history"]]
        axes.plot(
            epochs,
            accuracies,
            **styles[result["contestant"]],
            linewidth=1,
            alpha=0.85,
            markersize=4,
            markevery=max(1, len(epochs) // 10),
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if max(len(result["history"]) for result in results) < 2:
        axes.set(xlim=(0.5, 1.5), xticks=[1])
    axes.set(xlabel="epoch", ylabel="validation accuracy, %")
    axes.set_title("Learning curves, a line for each seed", loc="left", fontsize=11, color=INK)


def _label_points(axes: Axes, rows: Sequence[Row], styles: Styles) -> None:
    """Write each point's name where it covers no point, no bar and no other name."""
    occupied: list[BboxBase] = [_obstacle(axes, row) for row in rows]
    for row in rows:
        _label_point(axes, row, styles[row["contestant"]]["color"], occupied)


def _label_point(axes: Axes, row: Row, color: str, occupied: list[BboxBase]) -> None:
    """Write a name at the first free position, or else at the last one; adds its box to `occupied`.

    Args:
        axes: the left part of the figure.
        row: the contestant.
        color: of the line from the name to a distant point.
        occupied: boxes in pixels that the name must not cover.
    """
    frame = axes.get_window_extent()
    positions = [(distance, *side) for distance in DISTANCES for side in SIDES]
    for position in positions:
        distance, right, up = position
        line = {"arrowstyle": "-", "color": color, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 5}
        text = axes.annotate(
            row["contestant"],
            _point(row),
            (right * distance, up * distance),
            textcoords="offset points",
            arrowprops=line if distance > 20 else None,
            ha=("center", "left", "right")[right],
            va=("center", "bottom", "top")[up],
            fontsize=9,
            color=INK,
        )
        text.set_in_layout(False)
        box = text.get_window_extent().padded(1)
        inside = (
            frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        )
        is_free = inside and not any(box.overlaps(other) for other in occupied)
        if is_free or position == positions[-1]:
            occupied.append(box)
            return
        text.remove()


def _obstacle(axes: Axes, row: Row) -> Bbox:
    """The box, in pixels, of a point and its error bar."""
    (speed, accuracy), spread = _point(row), (row["val_accuracy_spread"] or 0.0) * 100
    (x, low), (_, high) = axes.transData.transform(
        [(speed, accuracy - spread), (speed, accuracy + spread)]
    )
    radius = POINT_RADIUS
    return Bbox.from_extents(x - radius, low - radius, x + radius, high + radius)
