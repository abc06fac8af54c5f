"""What a comparison found: a table on the screen, compare.csv, runs.csv and compare.png."""

import os
import platform
import statistics
from pathlib import Path

from ferkit.comparison.plot import _draw
from ferkit.comparison.speed import SPEED_BATCH
from ferkit.files import write_csv, written_atomically
from ferkit.provenance import processor_name

FILES = ("compare.csv", "runs.csv", "compare.png")
SHARES = ("val_accuracy", "val_accuracy_clean", "val_macro_f1", "last_val_accuracy")


def summarize_run(name, recipe, run, reason: str) -> dict:
    """What one run reached: figures of its best epoch on the validation split, as `train` chooses
    it, and of its last.

    Args:
        name: of the contestant.
        recipe: its ``Recipe``.
        run: its ``RunFolder``.
        reason: why it failed; "" when it did not.
    """
    history = run.history()
    result = {
        "contestant": name,
        "seed": recipe.seed,
        "status": "failed" if reason else "finished",
        "epochs": len(history),
    }
    result |= {
        "best_epoch": None,
        **dict.fromkeys(SHARES),
        "run": str(run.path),
        "reason": reason,
        "history": history,
    }
    if reason:
        return result
    best = run.best_epoch(history)
    texts = {
        **{key: best[key] for key in SHARES[:3]},
        "last_val_accuracy": history[-1]["val_accuracy"],
    }
    return result | {
        "best_epoch": int(best["epoch"]),
        **{key: float(text) if text else None for key, text in texts.items()},
    }


def write_comparison(folder: Path, plan, results: list[dict], costs: dict[str, dict]):
    """Print the table, and write compare.csv, runs.csv and compare.png into the folder.

    Args:
        folder: of the comparison.
        plan: a ``compare.Plan``.
        results: of ``summarize_run``, one for each run.
        costs: by contestant: parameters, multiply_adds, training_images_per_second,
            inference_images_per_second.
    """
    rows = [
        _summary(name, recipe, results, costs[name]) for name, recipe in plan.contestants.items()
    ]
    runs = [{key: value for key, value in result.items() if key != "history"} for result in results]
    write_csv(folder / FILES[0], [_rounded(row) for row in rows])
    write_csv(folder / FILES[1], runs)
    if any(row["failed"] < row["runs"] for row in rows):  # else there is nothing to draw
        figure = _draw(rows, results)
        with written_atomically(folder / FILES[2]) as draft:
            figure.savefig(draft, format="png", dpi=130)
    print("\n" + format_comparison(plan, rows))
    for result in results:
        if result["reason"]:
            print(f"Failed: {result['contestant']}, seed {result['seed']}: {result['reason']}")
    print("Written: " + ", ".join(str(folder / name) for name in FILES if (folder / name).exists()))


def machine() -> str:
    """What the speeds were measured on."""
    import tensorflow as tf

    details = [
        tf.config.experimental.get_device_details(gpu)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    gpus = [detail.get("device_name", "a GPU") for detail in details]
    parts = [
        *gpus,
        processor_name(),
        f"{os.cpu_count()} cores",
        platform.system(),
        f"TensorFlow {tf.__version__}",
    ]
    return ", ".join(parts)


def _summary(name, recipe, results, cost):
    own = [result for result in results if result["contestant"] == name]
    finished = [result for result in own if result["status"] == "finished"]
    row = {
        "contestant": name,
        "model": recipe.model,
        "recipe": recipe.name,
        "epochs": recipe.epochs,
    }
    row |= {"runs": len(own), "failed": len(own) - len(finished)}
    for key in SHARES:
        values = [result[key] for result in finished if result[key] is not None]
        row[key] = statistics.fmean(values) if values else None
        row[f"{key}_spread"] = statistics.stdev(values) if len(values) > 1 else None
    row |= {"parameters": cost["parameters"], "multiply_adds_millions": cost["multiply_adds"] / 1e6}
    row |= {key: cost[key] for key in ("training_images_per_second", "inference_images_per_second")}
    return row | {"speed_batch_size": SPEED_BATCH, "machine": machine()}


def _rounded(row):
    digits = {
        "multiply_adds_millions": 3,
        "training_images_per_second": 1,
        "inference_images_per_second": 1,
    }
    return {
        key: f"{value:.{digits.get(key, 6)}f}" if isinstance(value, float) else value
        for key, value in row.items()
    }


# ---- the table


def format_comparison(plan, rows: list[dict]) -> str:
    """The table for the screen, with what one must know to read it."""
    shares = ("accuracy %", "clean %", "macro-F1 %", "last epoch %")
    lines = [("contestant", *shares, "parameters", "M mult-adds", "train img/s", "infer img/s")]
    for row in rows:
        speeds = (
            f"{row[key]:,.0f}"
            for key in ("training_images_per_second", "inference_images_per_second")
        )
        name = row["contestant"] + (f" ({row['failed']} failed)" if row["failed"] else "")
        sizes = f"{row['parameters']:,}", f"{row['multiply_adds_millions']:,.1f}"
        lines.append((name, *(_share(row, key) for key in SHARES), *sizes, *speeds))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    ]
    spread = (
        f"; mean ± sample standard deviation of {len(plan.seeds)} seeds"
        if len(plan.seeds) > 1
        else ""
    )
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


# ---- the picture
