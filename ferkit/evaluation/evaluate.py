"""Evaluation of a model on a split, as text, JSON or a submission file."""

import csv
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ferkit.errors import UserError
from ferkit.evaluation.inference import WHOLE, BatchedLogits
from ferkit.evaluation.metrics import mean_probabilities, measure, softmax
from ferkit.files import written_atomically
from ferkit.input_pipeline.dataset import Split
from ferkit.input_pipeline.learned import learned_note
from generate_data.images.lazy_array import ImageFiles

_TTA_TEXT = {"none": "", "flip": ", flip averaging", "ten-crop": ", ten-crop averaging"}
_SIDE = 11 / 12
_STARTS = (
    (0, 0),
    (0, 1 - _SIDE),
    (1 - _SIDE, 0),
    (1 - _SIDE, 1 - _SIDE),
    ((1 - _SIDE) / 2, (1 - _SIDE) / 2),
)
# (top, left, bottom, right) as fractions of the image
TEN_CROP_BOXES = [(top, left, top + _SIDE, left + _SIDE) for top, left in _STARTS]


def split_logits(
    model: keras.Model, split: Split, tta: str = "none", batch_size: int | None = None
) -> np.ndarray:
    """Logits ``(rows, classes)``; with test-time augmentation, the log of the mean probability.

    The arguments are those of ``logits_per_view``.
    """
    return combine_views(logits_per_view(model, split, tta, batch_size))


def combine_views(views: np.ndarray) -> np.ndarray:
    """Logits ``(rows, classes)`` of views ``(views, rows, classes)``.

    One view is returned as it is; several as the log of their mean probability.
    """
    return views[0] if len(views) == 1 else np.log(mean_probabilities(views) + 1e-12)


def logits_per_view(
    model: keras.Model, split: Split, tta: str = "none", batch_size: int | None = None
) -> np.ndarray:
    """Logits of every view of test-time augmentation, ``(views, rows, classes)``.

    The first view is the complete image, except for ten-crop.

    Args:
        model: a model from pixels to logits.
        split: the images.
        tta: "none"; "flip": the image and its mirror image; "ten-crop": its four corners and its
            center, 11/12 of its sides, enlarged to the model's size, and their mirror images.
        batch_size: images per batch.
    """
    function = BatchedLogits(model, split.images.shape[1:])
    return views_of(function, split.images, tta, batch_size)


def views_of(
    function: BatchedLogits,
    images: np.ndarray | ImageFiles,
    tta: str = "none",
    batch_size: int | None = None,
) -> np.ndarray:
    """``logits_per_view`` of images uint8 ``(rows, height, width, channels)``."""
    boxes = TEN_CROP_BOXES if tta == "ten-crop" else [WHOLE]
    mirrors = (False,) if tta == "none" else (False, True)
    return np.stack(
        [function(images, batch_size, mirror, box) for box in boxes for mirror in mirrors]
    )


def evaluate_split(
    model: keras.Model, split: Split, tta: str = "none", batch_size: int | None = None
) -> tuple[dict[str, Any], np.ndarray]:
    """All figures of ``metrics.measure``, and the probabilities ``(rows, classes)``.

    Raises:
        UserError: the split has no labels.
    """
    if (split.labels < 0).any():
        advice = "write predictions with --submission FILE"
        raise UserError(f"{split.name} split", "has no labels", advice)
    logits = split_logits(model, split, tta, batch_size)
    return {**measure(logits, split), "tta": tta}, softmax(logits)


def format_evaluation(figures: dict[str, Any]) -> str:
    """The figures as a table for the terminal."""

    def percent(name: str) -> str:
        value, interval = figures[name], figures.get(f"{name}_interval")
        text = "    none" if value is None else f"{value:8.2%}"
        return text + (f" [{interval[0]:.2%}, {interval[1]:.2%}]" if interval else " " * 17)

    lines = [
        f"{figures['split']} split, {figures['count']:,} images"
        f"{_TTA_TEXT[figures.get('tta', 'none')]}; [95 % intervals]",
        f"  {learned_note(figures)}",
        f"  accuracy              {percent('accuracy')}   all images{_literature(figures)}",
        f"  accuracy_clean        {percent('accuracy_clean')}   "
        f"{clean_rows(figures, 'count_clean', 'duplicates')}",
        f"  accuracy_clean_exact  {percent('accuracy_clean_exact')}   "
        f"{clean_rows(figures, 'count_clean_exact', 'exact duplicates')}",
        f"  balanced accuracy     {percent('balanced_accuracy')}",
        f"  macro F1              {percent('macro_f1')}",
        f"  calibration error     {percent('expected_calibration_error')}   expected, 15 bins",
        "",
        f"  {'class':<12}{'precision':>10}{'recall':>10}{'F1':>10}{'images':>9}",
    ]
    for name, row in figures["per_class"].items():
        lines.append(
            f"  {name:<12}{row['precision']:>10.2%}{row['recall']:>10.2%}{row['f1']:>10.2%}"
            f"{row['support']:>9,}"
        )
    return "\n".join(lines)


def _literature(figures: dict[str, Any]) -> str:
    return ", as in the literature" if figures["comparable_with_literature"] else ""


def clean_rows(figures: dict[str, Any], key: str, duplicates: str) -> str:
    """Which images a clean accuracy counts, in words.

    Args:
        figures: those of ``metrics.measure``.
        key: "count_clean" or "count_clean_exact".
        duplicates: what it leaves out, such as "exact duplicates".
    """
    count = figures[key]
    if count is None:
        return "the dataset has no train rows"
    learned = "that were not learned, " if figures["count_learned_unmarked"] else ""
    return f"{count:,} images {learned}without {duplicates} of the dataset's train images"


def write_submission(path: str | Path, split: Split, logits: np.ndarray) -> None:
    """Write a CSV file with one row per image: its row in the user's file, class index and name."""
    predicted = logits.argmax(axis=1)
    with written_atomically(path) as draft, open(draft, "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["row", "emotion", "name"])
        for row, label in zip(split.source_row, predicted, strict=True):
            writer.writerow([row, label, split.class_names[label]])
