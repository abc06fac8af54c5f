"""The plot of a comparison: accuracy against speed, and learning curves."""

from ferkit.comparison.speed import SPEED_BATCH

# Okabe and Ito's colours, told apart with any colour vision (jfly.uni-koeln.de/color); the markers
# differ as well.
MARKERS, DASHES = "osD^vPXp", ("-", "--", ":", "-.")
INK = "#222222"
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")


def _draw(rows, results):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(13, 5.6 + 0.22 * max(0, len(rows) - 12)), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a screen
    left, right = figure.subplots(1, 2)
    styles = {row["contestant"]: _style(k) for k, row in enumerate(rows)}
    _draw_curves(right, results, styles)
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
    _label(left, [row for row in rows if row["val_accuracy"] is not None], styles)
    return figure


def _style(k):
    return {
        "color": COLORS[k % len(COLORS)],
        "marker": MARKERS[k % len(MARKERS)],
        "linestyle": DASHES[k // len(COLORS) % 4],
    }


def _draw_costs(axes, rows, styles):
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    for row in rows:
        if row["val_accuracy"] is None:
            continue
        style = styles[row["contestant"]]
        point = (row["inference_images_per_second"], row["val_accuracy"] * 100)
        bar = (
            {"yerr": row["val_accuracy_spread"] * 100}
            if row["val_accuracy_spread"] is not None
            else {}
        )
        axes.errorbar(*point, **bar, fmt="none", ecolor=style["color"], capsize=4, zorder=2)
        axes.plot(*point, **style, markersize=8, markeredgecolor="white", zorder=3)
    speeds = [row["inference_images_per_second"] for row in rows]
    if max(speeds) > 4 * min(speeds):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.18, y=0.15)
    seeds = (
        " (bar: ± standard deviation)"
        if any(row["val_accuracy_spread"] is not None for row in rows)
        else ""
    )
    axes.set(xlabel=f"inference, images/s at batch {SPEED_BATCH}", ylabel="validation accuracy, %")
    axes.set_title(f"Accuracy against speed{seeds}", loc="left", fontsize=11, color=INK)


def _draw_curves(axes, results, styles):
    from matplotlib.ticker import MaxNLocator

    for result in results:
        epochs = [int(row["epoch"]) for row in result["history"]]
        values = [float(row["val_accuracy"]) * 100 for row in result["history"]]
        sparse = max(1, len(epochs) // 10)
        axes.plot(
            epochs,
            values,
            **styles[result["contestant"]],
            linewidth=1,
            alpha=0.85,
            markersize=4,
            markevery=sparse,
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if max(len(result["history"]) for result in results) < 2:
        axes.set(xlim=(0.5, 1.5), xticks=[1])
    axes.set(xlabel="epoch", ylabel="validation accuracy, %")
    axes.set_title("Learning curves, a line for each seed", loc="left", fontsize=11, color=INK)


def _label(axes, rows, styles):
    """Write each point's name beside it, at the first place where it covers no point, no bar and no
    other name.
    """
    # the layout is settled now: texts and points have their places
    axes.figure.draw_without_rendering()
    renderer, frame = axes.figure.canvas.get_renderer(), axes.get_window_extent()
    taken = [box for row in rows for box in _obstacles(axes, row)]
    for row in rows:
        point = (row["inference_images_per_second"], row["val_accuracy"] * 100)
        for far in (9, 16, 24, 34, 46, 60, 80):
            if _place(
                axes,
                row["contestant"],
                point,
                styles[row["contestant"]]["color"],
                far,
                taken,
                frame,
                renderer,
            ):
                break


def _place(axes, name, point, color, far, taken, frame, renderer):
    """Try a name on eight sides of its point at a distance in points.

    True when it found its place.
    """
    sides = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
    for right, up in sides:
        style = {
            "ha": ("center", "left", "right")[right],
            "va": ("center", "bottom", "top")[up],
            "fontsize": 9,
            "color": INK,
        }
        line = (
            {"arrowstyle": "-", "color": color, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 5}
            if far > 20
            else None
        )
        text = axes.annotate(
            name,
            point,
            (right * far, up * far),
            textcoords="offset points",
            arrowprops=line,
            **style,
        )
        text.set_in_layout(False)
        box = text.get_window_extent(renderer).padded(1)
        inside = (
            frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        )
        if (inside and not any(box.overlaps(other) for other in taken)) or (
            far == 80 and (right, up) == sides[-1]
        ):
            taken.append(box)
            return True
        text.remove()
    return False


def _obstacles(axes, row):
    """Boxes, in pixels, of a point and its error bar."""
    from matplotlib.transforms import Bbox

    speed, accuracy, spread = (
        row["inference_images_per_second"],
        row["val_accuracy"],
        row["val_accuracy_spread"] or 0.0,
    )
    (x, low), (_, high) = axes.transData.transform(
        [(speed, (accuracy - spread) * 100), (speed, (accuracy + spread) * 100)]
    )
    return [Bbox.from_extents(x - 7, low - 7, x + 7, high + 7)]
