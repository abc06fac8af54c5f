"""What a page or a program is told about a model: names, sizes, and how often it is right."""

import json
from pathlib import Path
from typing import Any

from ferkit.recognition.results import UNSURE
from ferkit.recognition.runtimes import Runtime


def model_facts(file: Path, runtime: Runtime) -> dict[str, Any]:
    """The facts of a model as plain data; see ``serving.schema.ServedModel``.

    Args:
        file: the model file; released weights have their figures NAME.json beside it.
        runtime: the loaded model.

    Example:
        >>> model_facts(recognizer.file, recognizer.runtime)["input"]
        [48, 48, 1]
    """
    return {
        "name": file.stem,
        "class_names": list(runtime.class_names),
        "input": list(runtime.input_shape),
        "parameters": runtime.parameters,
        "unsure_below": UNSURE,
        "measured": measured_figures(file.with_suffix(".json")),
    }


def measured_figures(file: Path) -> dict[str, Any] | None:
    """The figures stored beside released weights; None if there are none of new photos."""
    try:
        figures = json.loads(file.read_text(encoding="utf-8"))
        plain, data = figures["plain"], figures["data"]
        if plain.get("count_learned_unmarked"):
            return None  # not the accuracy on new photos
        return {
            "dataset": data["dataset"],
            "split": figures["split"],
            "images": plain["count"],
            "accuracy": plain["accuracy"],
            "accuracy_without_copies": plain["accuracy_clean"],
            "recall": {name: row["recall"] for name, row in plain["per_class"].items()},
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
