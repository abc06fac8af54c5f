"""The block of metadata that a model card opens with, for the Hugging Face Hub.

It is YAML, of which JSON is a part: every value is written as JSON.

Reference: https://huggingface.co/docs/hub/model-cards
"""

import json
from typing import Any

from generate_data.labels import DATASETS

FENCE = "---"
LICENSE = "mit"  # of this project, its weights included
TASK = {"type": "image-classification", "name": "Facial expression recognition"}
_TITLES = {
    "fer2013": "FER2013",
    "affectnet": "AffectNet",
    "rafdb": "RAF-DB",
    "folders": "own images",
}
_PUBLIC_SPLITS = {"val": "PublicTest", "test": "PrivateTest"}
# Metric of the hub -> key of the figures, name.
_METRICS = (
    ("accuracy", "accuracy", "Accuracy"),
    ("accuracy", "accuracy_clean", "Accuracy, without duplicates of training images"),
    ("balanced_accuracy", "balanced_accuracy", "Balanced accuracy"),
    ("f1", "macro_f1", "Macro F1"),
    (
        "expected_calibration_error",
        "expected_calibration_error",
        "Expected calibration error, 15 bins",
    ),
)
_VIEWS = {"plain": "one view", "flip": "flip-averaged"}


def metadata_block(figures: dict[str, Any]) -> str:
    """The block, from one line of three hyphens to another.

    Args:
        figures: the figures of ``release.release``.

    Example:
        >>> print(metadata_block(figures).splitlines()[1])
        library_name: keras
    """
    data = figures["data"]
    trained = figures.get("trained_on", {"datasets": []})
    kinds = {data["dataset"], *(entry["dataset"] for entry in trained["datasets"])}
    lines = [
        FENCE,
        "library_name: keras",
        f"pipeline_tag: {TASK['type']}",
        f"license: {LICENSE}",
        *_listed("datasets", [kind for kind in DATASETS if kind in kinds and kind != "folders"]),
        *_listed(
            "tags", ["facial-expression-recognition", "emotion-recognition", *_models(figures)]
        ),
        *_listed("metrics", list(dict.fromkeys(metric for metric, _, _ in _METRICS))),
        "model-index:",
        f"- name: {json.dumps(figures['name'])}",
        "  results:",
        f"  - task: {json.dumps(TASK)}",
        f"    dataset: {json.dumps(_dataset(data, figures['split']))}",
        "    metrics:",
        *(f"    - {json.dumps(metric)}" for metric in _metrics(figures)),
        FENCE,
    ]
    return "\n".join(lines)


def without_metadata(card: str) -> str:
    """The text of a card after its block, if it has one."""
    if not card.startswith(f"{FENCE}\n"):
        return card
    return card.partition(f"\n{FENCE}\n")[2].lstrip("\n")


def _listed(key: str, values: list[str]) -> list[str]:
    return [f"{key}:", *(f"- {value}" for value in values)] if values else []


def _models(figures: dict[str, Any]) -> list[str]:
    return [
        figures["model"]["model"].replace("_", "-"),
        *(["litert"] if "compiled" in figures else []),
    ]


def _dataset(data: dict[str, Any], split: str) -> dict[str, str]:
    kind = data["dataset"]
    public = kind == "fer2013" and data["val_from"] == "source"
    named = f"{split} ({_PUBLIC_SPLITS[split]})" if public and split in _PUBLIC_SPLITS else split
    return {"name": f"{_TITLES.get(kind, kind)}, {named}", "type": kind, "split": split}


def _metrics(figures: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": metric, "name": f"{title}, {view_name}", "value": round(figures[view][key], 4)}
        for view, view_name in _VIEWS.items()
        for metric, key, title in _METRICS
        if figures[view].get(key) is not None
    ]
