"""The compiled file of a release: NAME.tflite, made and measured beside NAME.keras."""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ferkit.errors import UserError
from ferkit.evaluation.compiled_classifier import CompiledClassifier
from ferkit.evaluation.evaluate import combine_views, logits_per_view
from ferkit.evaluation.metrics import measure
from ferkit.export.export import export_model
from ferkit.export.formats import FORMATS
from ferkit.files import write_json, written_atomically
from ferkit.input_pipeline.dataset import Split
from ferkit.models.saved_model import load_model
from ferkit.recognition.litert_runtime import LiteRTRuntime
from ferkit.release.model_card import model_card

# 8-bit kernels are used if the file stays within these limits of the Keras model on the split;
# otherwise the kernels are float32.
ACCURACY_LIMIT = 0.003
SAME_LABEL_LIMIT = 0.985
CALIBRATION_LIMIT = 0.005

Figures = dict[str, Any]


def add_compiled(file: Path, figures: Figures, split: Split, expected: np.ndarray) -> Figures:
    """Write NAME.tflite next to NAME.keras, and its figures into NAME.json and NAME.md.

    Args:
        file: NAME.keras.
        figures: the figures of ``release.release``.
        split: the split that the release was measured on.
        expected: logits of NAME.keras ``(2, rows, classes)``, of the images and their mirror
            images.

    Returns:
        The figures with "compiled" added.

    Raises:
        UserError: the model cannot be converted, or not even float32 kernels agree with Keras.
    """
    figures = {key: value for key, value in figures.items() if key != "compiled"}
    model = load_model(file)
    target = file.with_suffix(".tflite")
    with written_atomically(target) as draft, tempfile.TemporaryDirectory() as folder:
        # The file contains its card, without the figures of an earlier compiled file.
        source = Path(folder) / file.name
        shutil.copyfile(file, source)
        _write_card(source, figures)
        try:
            compiled = _exported(model, source, "litert-int8", draft, expected, split)
        except UserError:
            compiled = _exported(model, source, "litert", draft, expected, split)
    figures = {**figures, "compiled": {**compiled, "file": target.name}}
    write_json(file.with_suffix(".json"), figures)
    _write_card(file, figures)
    return figures


def _write_card(file: Path, figures: Figures) -> None:
    with written_atomically(file.with_suffix(".md")) as card:
        card.write_text(model_card(figures), encoding="utf-8")


def _exported(
    model: keras.Model,
    source: Path,
    format_name: str,
    draft: Path,
    expected: np.ndarray,
    split: Split,
) -> Figures:
    """Write the file in one format, and return its figures.

    Args:
        model: the Keras model.
        source: a copy of NAME.keras, next to the card NAME.md that the file will contain.
        format_name: name of the format.
        draft: what to write.
        expected: logits of Keras ``(2, rows, classes)``, see ``_measure``.
        split: the images.

    Raises:
        UserError: the model cannot be written in this format, or the file does not agree with
            Keras.
    """
    export_format = FORMATS[format_name]
    export_model(model, source, export_format, draft, split)
    compiled = _measure(draft, expected, split)
    if not _agrees(compiled):
        problem = f"the compiled file does not agree with Keras ({_format(compiled)})"
        raise UserError(source.name, problem, "release it without: --compiled False")
    return {**compiled, "kernels": "8 bits" if export_format.int8 else "float32"}


def _measure(path: Path, expected: np.ndarray, split: Split) -> Figures:
    """Figures of a compiled file on a split.

    Args:
        path: the .tflite file.
        expected: logits of Keras ``(2, rows, classes)``, of the images and their mirror images.
        split: the images.
    """
    views = logits_per_view(CompiledClassifier(LiteRTRuntime(path)), split, "flip")
    of_keras, of_keras_flip = (
        measure(logits, split) for logits in (expected[0], combine_views(expected))
    )
    plain, flip = (measure(logits, split) for logits in (views[0], combine_views(views)))
    content = path.read_bytes()
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "count": len(split),
        "accuracy": plain["accuracy"],
        "accuracy_flip": flip["accuracy"],
        "expected_calibration_error": plain["expected_calibration_error"],
        "accuracy_keras": of_keras["accuracy"],
        "accuracy_flip_keras": of_keras_flip["accuracy"],
        "expected_calibration_error_keras": of_keras["expected_calibration_error"],
        "same_label": float((views[0].argmax(axis=1) == expected[0].argmax(axis=1)).mean()),
    }


def _agrees(compiled: Figures) -> bool:
    return (
        abs(compiled["accuracy"] - compiled["accuracy_keras"]) <= ACCURACY_LIMIT
        and compiled["same_label"] >= SAME_LABEL_LIMIT
        and compiled["expected_calibration_error"]
        <= compiled["expected_calibration_error_keras"] + CALIBRATION_LIMIT
    )


def _format(compiled: Figures) -> str:
    return (
        f"accuracy {compiled['accuracy']:.2%} and {compiled['accuracy_keras']:.2%}, same label on "
        f"{compiled['same_label']:.1%}"
    )
