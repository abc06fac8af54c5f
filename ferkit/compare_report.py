"""What a comparison found: a table on the screen, compare.csv, runs.csv and compare.png."""

import os
import platform
import statistics
from pathlib import Path

from .atomic import atomic_path, write_csv
from .cost import SPEED_BATCH
from .run_folder import processor_name

FILES = ("compare.csv", "runs.csv", "compare.png")
SHARES = ("val_accuracy", "val_accuracy_clean", "val_macro_f1", "last_val_accuracy")
# Okabe and Ito's colours, told apart with any colour vision (jfly.uni-koeln.de/color); the markers differ as well.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS, DASHES = "osD^vPXp", ("-", "--", ":", "-.")
INK, FAINT = "#222222", "#666666"


def run_result(name, recipe, run, reason: str) -> dict:
    """What one run reached: figures of its best epoch on the validation split, as `train` chooses it, and of its last.

    Args:
        name: of the contestant.
        recipe: its ``Recipe``.
        run: its ``RunFolder``.
        reason: why it failed; "" when it did not.
    """
    history = run.history()
    result = {"contestant": name, "seed": recipe.seed, "status": "failed" if reason else "finished", "epochs": len(history)}
    result |= {"best_epoch": None, **dict.fromkeys(SHARES), "run": str(run.path), "reason": reason, "history": history}
    if reason:
        return result
    best = run.best_epoch(history)
    texts = {**{key: best[key] for key in SHARES[:3]}, "last_val_accuracy": history[-1]["val_accuracy"]}
    return result | {"best_epoch": int(best["epoch"]), **{key: float(text) if text else None for key, text in texts.items()}}


def write_comparison(folder: Path, plan, results: list[dict], costs: dict[str, dict]):
    """Print the table, and write compare.csv, runs.csv and compare.png into the folder.

    Args:
        folder: of the comparison.
        plan: a ``compare.Plan``.
        results: of ``run_result``, one for each run.
        costs: by contestant: parameters, multiply_adds, training_images_per_second, inference_images_per_second.
    """
    rows = [_summary(name, recipe, results, costs[name]) for name, recipe in plan.contestants.items()]
    runs = [{key: value for key, value in result.items() if key != "history"} for result in results]
    write_csv(folder / FILES[0], [_rounded(row) for row in rows])
    write_csv(folder / FILES[1], runs)
    if any(row["failed"] < row["runs"] for row in rows):  # else there is nothing to draw
        figure = _draw(rows, results)
        with atomic_path(folder / FILES[2]) as draft:
            figure.savefig(draft, format="png", dpi=130)
    print("\n" + as_text(plan, rows))
    for result in results:
        if result["reason"]:
            print(f"Failed: {result['contestant']}, seed {result['seed']}: {result['reason']}")
    print("Written: " + ", ".join(str(folder / name) for name in FILES if (folder / name).exists()))


def machine() -> str:
    """What the speeds were measured on."""
    import tensorflow as tf

    details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    gpus = [detail.get("device_name", "a GPU") for detail in details]
    parts = [*gpus, processor_name(), f"{os.cpu_count()} cores", platform.system(), f"TensorFlow {tf.__version__}"]
    return ", ".join(parts)


def _summary(name, recipe, results, cost):
    own = [result for result in results if result["contestant"] == name]
    finished = [result for result in own if result["status"] == "finished"]
    row = {"contestant": name, "model": recipe.model, "recipe": recipe.name, "epochs": recipe.epochs}
    row |= {"runs": len(own), "failed": len(own) - len(finished)}
    for key in SHARES:
        values = [result[key] for result in finished if result[key] is not None]
        row[key] = statistics.fmean(values) if values else None
        row[f"{key}_spread"] = statistics.stdev(values) if len(values) > 1 else None
    row |= {"parameters": cost["parameters"], "multiply_adds_millions": cost["multiply_adds"] / 1e6}
    row |= {key: cost[key] for key in ("training_images_per_second", "inference_images_per_second")}
    return row | {"speed_batch_size": SPEED_BATCH, "machine": machine()}


def _rounded(row):
    digits = {"multiply_adds_millions": 3, "training_images_per_second": 1, "inference_images_per_second": 1}
    return {key: f"{value:.{digits.get(key, 6)}f}" if isinstance(value, float) else value for key, value in row.items()}


# ---- the table ----------------------------------------------------------------------------------------------------------


def as_text(plan, rows: list[dict]) -> str:
    """The table for the screen, with what one must know to read it."""
    shares = ("accuracy %", "clean %", "macro-F1 %", "last epoch %")
    lines = [("contestant", *shares, "parameters", "M mult-adds", "train img/s", "infer img/s")]
    for row in rows:
        speeds = (f"{row[key]:,.0f}" for key in ("training_images_per_second", "inference_images_per_second"))
        name = row["contestant"] + (f" ({row['failed']} failed)" if row["failed"] else "")
        sizes = f"{row['parameters']:,}", f"{row['multiply_adds_millions']:,.1f}"
        lines.append((name, *(_share(row, key) for key in SHARES), *sizes, *speeds))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines]
    spread = f"; mean ± sample standard deviation of {len(plan.seeds)} seeds" if len(plan.seeds) > 1 else ""
    images = f"{plan.dataset['rows'].get('val', 0):,} images"
    notes = [
        f"Validation split of {plan.dataset['folder']}, {images}, at the epoch of the best accuracy{spread}.",
        "Multiply-adds: millions, one image's inference, convolutions and matrix products.",
        f"Images/s: median step at batch {SPEED_BATCH} of random pixels, all in turn. {rows[0]['machine']}.",
    ]
    return "\n".join([*table, "", *notes])


def _share(row, key):
    if row[key] is None:
        return "none"
    spread = row[f"{key}_spread"]
    return f"{row[key] * 100:.2f}" + ("" if spread is None else f" ± {spread * 100:.2f}")


# ---- the picture --------------------------------------------------------------------------------------------------------


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
    figure.legend(handles, list(styles), loc="outside lower center", ncols=min(5, len(rows)), frameon=False)
    _label(left, [row for row in rows if row["val_accuracy"] is not None], styles)
    return figure


def _style(k):
    return {"color": COLORS[k % len(COLORS)], "marker": MARKERS[k % len(MARKERS)], "linestyle": DASHES[k // len(COLORS) % 4]}


def _draw_costs(axes, rows, styles):
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    for row in rows:
        if row["val_accuracy"] is None:
            continue
        style = styles[row["contestant"]]
        point = (row["inference_images_per_second"], row["val_accuracy"] * 100)
        bar = {"yerr": row["val_accuracy_spread"] * 100} if row["val_accuracy_spread"] is not None else {}
        axes.errorbar(*point, **bar, fmt="none", ecolor=style["color"], capsize=4, zorder=2)
        axes.plot(*point, **style, markersize=8, markeredgecolor="white", zorder=3)
    speeds = [row["inference_images_per_second"] for row in rows]
    if max(speeds) > 4 * min(speeds):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.18, y=0.15)
    seeds = " (bar: ± standard deviation)" if any(row["val_accuracy_spread"] is not None for row in rows) else ""
    axes.set(xlabel=f"inference, images/s at batch {SPEED_BATCH}", ylabel="validation accuracy, %")
    axes.set_title(f"Accuracy against speed{seeds}", loc="left", fontsize=11, color=INK)


def _draw_curves(axes, results, styles):
    from matplotlib.ticker import MaxNLocator

    for result in results:
        epochs = [int(row["epoch"]) for row in result["history"]]
        values = [float(row["val_accuracy"]) * 100 for row in result["history"]]
        sparse = max(1, len(epochs) // 10)
        axes.plot(epochs, values, **styles[result["contestant"]], linewidth=1, alpha=0.85, markersize=4, markevery=sparse)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if max(len(result["history"]) for result in results) < 2:
        axes.set(xlim=(0.5, 1.5), xticks=[1])
    axes.set(xlabel="epoch", ylabel="validation accuracy, %")
    axes.set_title("Learning curves, a line for each seed", loc="left", fontsize=11, color=INK)


def _label(axes, rows, styles):
    """Write each point's name beside it, at the first place where it covers no point, no bar and no other name."""
    axes.figure.draw_without_rendering()  # the layout is settled now: texts and points have their places
    renderer, frame = axes.figure.canvas.get_renderer(), axes.get_window_extent()
    taken = [box for row in rows for box in _obstacles(axes, row)]
    for row in rows:
        point = (row["inference_images_per_second"], row["val_accuracy"] * 100)
        for far in (9, 16, 24, 34, 46, 60, 80):
            if _place(axes, row["contestant"], point, styles[row["contestant"]]["color"], far, taken, frame, renderer):
                break


def _place(axes, name, point, color, far, taken, frame, renderer):
    """Try a name on eight sides of its point at a distance in points; True when it found its place."""
    sides = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
    for right, up in sides:
        style = {"ha": ("center", "left", "right")[right], "va": ("center", "bottom", "top")[up], "fontsize": 9, "color": INK}
        line = {"arrowstyle": "-", "color": color, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 5} if far > 20 else None
        text = axes.annotate(name, point, (right * far, up * far), textcoords="offset points", arrowprops=line, **style)
        text.set_in_layout(False)
        box = text.get_window_extent(renderer).padded(1)
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        if (inside and not any(box.overlaps(other) for other in taken)) or (far == 80 and (right, up) == sides[-1]):
            taken.append(box)
            return True
        text.remove()
    return False


def _obstacles(axes, row):
    """Boxes, in pixels, of a point and its error bar."""
    from matplotlib.transforms import Bbox

    speed, accuracy, spread = row["inference_images_per_second"], row["val_accuracy"], row["val_accuracy_spread"] or 0.0
    (x, low), (_, high) = axes.transData.transform([(speed, (accuracy - spread) * 100), (speed, (accuracy + spread) * 100)])
    return [Bbox.from_extents(x - 7, low - 7, x + 7, high + 7)]
