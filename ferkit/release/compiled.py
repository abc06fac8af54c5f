"""The compiled file of a release: NAME.tflite, made and measured beside NAME.keras."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from ferkit.errors import UserError
from ferkit.evaluation.evaluate import combine_views, logits_per_view
from ferkit.evaluation.metrics import measure
from ferkit.export.export import export_model
from ferkit.export.formats import FORMATS
from ferkit.files import write_json, written_atomically
from ferkit.input_pipeline.dataset import Split
from ferkit.input_pipeline.fit_images import resize_to_input
from ferkit.models.saved_model import load_model
from ferkit.recognition.litert_runtime import LiteRTRuntime
from ferkit.release.model_card import model_card

# 8-bit kernels are used if the file stays within these limits of the Keras model on the split;
# otherwise the kernels are float32.
ACCURACY_LIMIT = 0.003
SAME_LABEL_LIMIT = 0.985
CALIBRATION_LIMIT = 0.005
ROWS_AT_ONCE = 256

Figures = dict[str, Any]


def add_compiled(file: Path, figures: Figures, split: Split) -> Figures:
    """Write NAME.tflite next to NAME.keras, and its figures into NAME.json and NAME.md.

    Args:
        file: NAME.keras.
        figures: the figures of ``release.release``.
        split: the split that the release was measured on.

    Returns:
        The figures with "compiled" added.

    Raises:
        UserError: the model cannot be converted, or not even float32 kernels agree with Keras.
    """
    model = load_model(file)
    expected = logits_per_view(model, split, "flip")
    for name in ("litert-int8", "litert"):
        target = file.with_suffix(".tflite")
        with written_atomically(target) as draft:
            # The converted file is measured before it gets its name.
            export_model(model, file, FORMATS[name], draft, split)
            compiled = _measure(draft, expected, split)
            is_good = _agrees(compiled)
            if not is_good and name == "litert":
                problem = f"the compiled file does not agree with Keras ({_format(compiled)})"
                raise UserError(file, problem, "release it without: --compiled False")
            compiled |= {"file": target.name, "kernels": _kernels(name)}
        if is_good:
            break
    figures = {**figures, "compiled": compiled}
    write_json(file.with_suffix(".json"), figures)
    with written_atomically(file.with_suffix(".md")) as card:
        card.write_text(model_card(figures), encoding="utf-8")
    return figures


def _kernels(format_name: str) -> str:
    return "8 bits" if FORMATS[format_name].int8 else "float32"


def _measure(path: Path, expected: np.ndarray, split: Split) -> Figures:
    """Figures of a compiled file on a split.

    Args:
        path: the .tflite file.
        expected: logits of Keras ``(2, rows, classes)``, of the images and their mirror images.
        split: the images.
    """
    runtime = LiteRTRuntime(path)
    views = np.log(np.maximum(_probabilities_per_view(runtime, split), 1e-12))
    keras, keras_flip = (
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
        "accuracy_keras": keras["accuracy"],
        "accuracy_flip_keras": keras_flip["accuracy"],
        "expected_calibration_error_keras": keras["expected_calibration_error"],
        "same_label": float((views[0].argmax(axis=1) == expected[0].argmax(axis=1)).mean()),
    }


def _probabilities_per_view(runtime: LiteRTRuntime, split: Split) -> np.ndarray:
    """Probabilities ``(2, rows, classes)`` of the images and of their mirror images."""
    views: list[list[np.ndarray]] = [[], []]
    for start in range(0, len(split), ROWS_AT_ONCE):
        images = resize_to_input(
            split.images[start : start + ROWS_AT_ONCE], runtime.input_shape
        ).numpy()
        images = np.round(images).astype(np.uint8)
        views[0].append(runtime.probabilities(images))
        views[1].append(runtime.probabilities(images[:, :, ::-1]))
    return np.stack([np.concatenate(parts) for parts in views])


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
