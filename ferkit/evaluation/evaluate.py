"""Evaluation of a saved model on a split: figures on the screen, as JSON, as a report, or as a submission file."""

import csv
import json
from pathlib import Path

import numpy as np

from ferkit.errors import UserError
from ferkit.evaluation.inference import WHOLE, BatchedLogits
from ferkit.evaluation.metrics import averaged, measure, softmax
from ferkit.files import written_atomically
from ferkit.input_pipeline.dataset import Split

_AVERAGED = {"none": "", "flip": ", mirror averaging", "ten-crop": ", ten-crop averaging"}
_SIDE = 11 / 12
_STARTS = (
    (0, 0),
    (0, 1 - _SIDE),
    (1 - _SIDE, 0),
    (1 - _SIDE, 1 - _SIDE),
    ((1 - _SIDE) / 2, (1 - _SIDE) / 2),
)
# (top, left, bottom, right) as shares of the image
TEN_CROP_BOXES = [(top, left, top + _SIDE, left + _SIDE) for top, left in _STARTS]


def split_logits(
    model, split: Split, tta: str = "none", batch_size: int | None = None
) -> np.ndarray:
    """Logits ``(rows, classes)``; with test-time averaging, the log of the mean probability over the views of an image.

    Arguments are those of ``view_logits``.
    """
    return in_one(view_logits(model, split, tta, batch_size))


def in_one(views: np.ndarray) -> np.ndarray:
    """Logits ``(views, rows, classes)`` as ``(rows, classes)``: one view as it is, of several the log of the mean probability."""
    return views[0] if len(views) == 1 else np.log(averaged(views) + 1e-12)


def view_logits(
    model, split: Split, tta: str = "none", batch_size: int | None = None
) -> np.ndarray:
    """Logits of every view of an image that test-time averaging asks for, ``(views, rows, classes)``; but for ten-crop the
    whole image is the first.

    Args:
        model: a Keras model from pixels to logits.
        split: a ``dataset.Split``.
        tta: "none"; "flip": the image and its mirror image; "ten-crop": its four corners and its centre, 11/12 of its sides and
            enlarged to the model's size again, and their mirror images.
        batch_size: images at once.
    """
    function = BatchedLogits(model, split.images.shape[1:])
    boxes = TEN_CROP_BOXES if tta == "ten-crop" else [WHOLE]
    mirrors = (False,) if tta == "none" else (False, True)
    return np.stack(
        [function(split.images, batch_size, mirror, box) for box in boxes for mirror in mirrors]
    )


def evaluate(
    model, split: Split, tta: str = "none", batch_size: int | None = None
) -> tuple[dict, np.ndarray]:
    """Every figure of ``metrics.measure``, and the probabilities ``(rows, classes)``.

    Raises:
        UserError: the split has no labels.
    """
    if (split.labels < 0).any():
        raise UserError(
            f"{split.name} split: has no labels to measure against; write predictions with --submission FILE."
        )
    logits = split_logits(model, split, tta, batch_size)
    return {**measure(logits, split), "tta": tta}, softmax(logits)


def as_text(figures: dict) -> str:
    """The figures as a table for the screen."""

    def percent(name):
        value, interval = figures[name], figures.get(f"{name}_interval")
        text = "    none" if value is None else f"{value:8.2%}"
        return text + (f" [{interval[0]:.2%}, {interval[1]:.2%}]" if interval else " " * 17)

    lines = [
        f"{figures['split']} split, {figures['count']:,} images{_AVERAGED[figures.get('tta', 'none')]}; [95 % intervals]",
        f"  accuracy              {percent('accuracy')}   all images, comparable with the literature",
        f"  accuracy_clean        {percent('accuracy_clean')}   {_rows(figures['count_clean'], 'copying no train image')}",
        f"  accuracy_clean_exact  {percent('accuracy_clean_exact')}   "
        f"{_rows(figures['count_clean_exact'], 'with no exact copy in train')}",
        f"  balanced accuracy     {percent('balanced_accuracy')}",
        f"  macro F1              {percent('macro_f1')}",
        f"  calibration error     {percent('expected_calibration_error')}   expected, 15 bins",
        "",
        f"  {'class':<12}{'precision':>10}{'recall':>10}{'F1':>10}{'images':>9}",
    ]
    for name, own in figures["per_class"].items():
        lines.append(
            f"  {name:<12}{own['precision']:>10.2%}{own['recall']:>10.2%}{own['f1']:>10.2%}{own['support']:>9,}"
        )
    return "\n".join(lines)


def _rows(count, which):
    return "the dataset has no train rows to copy" if count is None else f"{count:,} images {which}"


def write_json(path: str | Path, figures: dict):
    """The figures as one JSON object."""
    with written_atomically(path) as draft:
        draft.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def write_submission(path: str | Path, split: Split, logits: np.ndarray):
    """A CSV of one row per image in the order of the user's file: its row there, the class index and its name."""
    predicted = logits.argmax(axis=1)
    with written_atomically(path) as draft, open(draft, "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["row", "emotion", "name"])
        for row, label in zip(split.source_row, predicted, strict=True):
            writer.writerow([row, label, split.class_names[label]])
