"""The results of a comparison: a table for the terminal, compare.csv, runs.csv and compare.png."""

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from ferkit.comparison.plan import ComparisonPlan
from ferkit.comparison.plot import draw_comparison
from ferkit.comparison.speed import SPEED_BATCH
from ferkit.files import write_csv, written_atomically
from ferkit.provenance import processor_name
from ferkit.recipes.recipe import Recipe
from ferkit.reporting.run_table import LEARNED_VALIDATION
from ferkit.training.run_folder import RunFolder

FILES = ("compare.csv", "runs.csv", "compare.png")
BEST_EPOCH_FRACTIONS = ("val_accuracy", "val_accuracy_clean", "val_macro_f1")
FRACTIONS = (*BEST_EPOCH_FRACTIONS, "last_val_accuracy")
SPEEDS = ("training_images_per_second", "inference_images_per_second")
_DECIMALS = {"multiply_adds_millions": 3, **dict.fromkeys(SPEEDS, 1)}  # in compare.csv; else 6


def summarize_run(name: str, recipe: Recipe, run: RunFolder, reason: str) -> dict[str, Any]:
    """The validation figures of a run's best epoch, as `train` chooses it, and of its last epoch.

    Args:
        name: the contestant.
        recipe: its recipe.
        run: its run folder.
        reason: why it failed, or "".
    """
    history = run.history()
    result = {
        "contestant": name,
        "seed": recipe.seed,
        "status": "failed" if reason else "finished",
        "epochs": len(history),
        "best_epoch": None,
        **dict.fromkeys(FRACTIONS),
        "val_images_learned": run.val_images_learned() if run.exists else None,
        "run": str(run.path),
        "reason": reason,
        "history": history,
    }
    if reason:
        return result
    best = run.best_epoch(history)
    texts = {key: best[key] for key in BEST_EPOCH_FRACTIONS}
    texts["last_val_accuracy"] = history[-1]["val_accuracy"]
    return result | {
        "best_epoch": int(best["epoch"]),
        **{key: float(text) if text else None for key, text in texts.items()},
    }


def write_comparison(
    folder: Path,
    plan: ComparisonPlan,
    results: Sequence[Mapping[str, Any]],
    costs: Mapping[str, Mapping[str, Any]],
) -> None:
    """Print the table, and write compare.csv, runs.csv and compare.png into the folder.

    Args:
        folder: folder of the comparison.
        plan: what was trained.
        results: those of ``summarize_run``, one for each run.
        costs: contestant -> parameters, multiply_adds, training_images_per_second and
            inference_images_per_second.
    """
    rows = [
        _summary(name, recipe, results, costs[name]) for name, recipe in plan.contestants.items()
    ]
    runs = [{key: value for key, value in result.items() if key != "history"} for result in results]
    write_csv(folder / FILES[0], [_rounded(row) for row in rows])
    write_csv(folder / FILES[1], runs)
    if any(row["failed"] < row["runs"] for row in rows):  # otherwise there is nothing to draw
        figure = draw_comparison(rows, results)
        with written_atomically(folder / FILES[2]) as draft:
            figure.savefig(draft, format="png", dpi=130)
    print("\n" + format_comparison(plan, rows))
    learned = dict.fromkeys(run["contestant"] for run in runs if run["val_images_learned"])
    if learned:
        print(f"{LEARNED_VALIDATION}: {', '.join(learned)}.")
    for result in results:
        if result["reason"]:
            print(f"Failed: {result['contestant']}, seed {result['seed']}: {result['reason']}")
    print("Written: " + ", ".join(str(folder / name) for name in FILES if (folder / name).exists()))


def machine() -> str:
    """The hardware and software that the speeds were measured on."""
    details = [
        tf.config.experimental.get_device_details(gpu)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    parts = [
        *[detail.get("device_name", "a GPU") for detail in details],
        processor_name(),
        f"{os.cpu_count()} cores",
        platform.system(),
        f"TensorFlow {tf.__version__}",
    ]
    return ", ".join(parts)


def _summary(
    name: str, recipe: Recipe, results: Sequence[Mapping[str, Any]], cost: Mapping[str, Any]
) -> dict[str, Any]:
    """The row of a contestant in compare.csv."""
    runs = [result for result in results if result["contestant"] == name]
    finished = [result for result in runs if result["status"] == "finished"]
    row = {
        "contestant": name,
        "model": recipe.model,
        "recipe": recipe.name,
        "epochs": recipe.epochs,
        "runs": len(runs),
        "failed": len(runs) - len(finished),
    }
    for key in FRACTIONS:
        values = [result[key] for result in finished if result[key] is not None]
        row[key] = statistics.fmean(values) if values else None
        row[f"{key}_spread"] = statistics.stdev(values) if len(values) > 1 else None
    return row | {
        "parameters": cost["parameters"],
        "multiply_adds_millions": cost["multiply_adds"] / 1e6,
        **{key: cost[key] for key in SPEEDS},
        "speed_batch_size": SPEED_BATCH,
        "machine": machine(),
    }


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: f"{value:.{_DECIMALS.get(key, 6)}f}" if isinstance(value, float) else value
        for key, value in row.items()
    }


def format_comparison(plan: ComparisonPlan, rows: Sequence[Mapping[str, Any]]) -> str:
    """The table for the terminal, with notes on how to read it."""
    fractions = ("accuracy %", "clean %", "macro-F1 %", "last epoch %")
    titles = ("contestant", *fractions, "parameters", "M mult-adds", "train img/s", "infer img/s")
    lines = [titles, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    ]
    count = len(plan.seeds)
    spread = f"; mean ± sample standard deviation of {count} seeds" if count > 1 else ""
    images = f"{plan.dataset['rows'].get('val', 0):,} images"
    notes = [
        f"Validation split of {plan.dataset['folder']}, {images}, at the epoch with the best "
        f"accuracy{spread}.",
        "Multiply-adds: millions, inference on one image, convolutions and matrix products.",
        f"Images/s: median step at batch {SPEED_BATCH} of random pixels, measured in turn. "
        f"{rows[0]['machine']}.",
    ]
    return "\n".join([*table, "", *notes])


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    name = row["contestant"] + (f" ({row['failed']} failed)" if row["failed"] else "")
    sizes = f"{row['parameters']:,}", f"{row['multiply_adds_millions']:,.1f}"
    speeds = (f"{row[key]:,.0f}" for key in SPEEDS)
    return (name, *(_percent(row, key) for key in FRACTIONS), *sizes, *speeds)


def _percent(row: Mapping[str, Any], key: str) -> str:
    if row[key] is None:
        return "none"
    spread = row[f"{key}_spread"]
    return f"{row[key] * 100:.2f}" + ("" if spread is None else f" ± {spread * 100:.2f}")
