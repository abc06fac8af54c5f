"""Releases a trained model as one small, calibrated file with its model card."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ferkit.errors import UserError
from ferkit.evaluation.evaluate import combine_views, format_evaluation, logits_per_view
from ferkit.evaluation.metrics import measure
from ferkit.evaluation.robustness import measure_robustness
from ferkit.files import write_json, written_atomically
from ferkit.input_pipeline.dataset import Split, load_split
from ferkit.models.multiply_adds import multiply_adds
from ferkit.models.registry import entry_of_model
from ferkit.models.saved_model import load_model
from ferkit.models.shipped_weights import is_weights_folder
from ferkit.provenance import processor_name, provenance
from ferkit.recognition.results import UNSURE
from ferkit.release.calibration import (
    errors_if_perfect,
    fit_temperature,
    held_out_errors,
    merge_temperature,
)
from ferkit.release.compiled import add_compiled
from ferkit.release.half_precision import halve
from ferkit.release.model_card import model_card
from ferkit.reporting.html_report import training_sections
from ferkit.training.run_folder import RunFolder
from generate_data.manifest import Manifest

__all__ = ["format_evaluation", "release"]

SPLIT = "val"


def release(
    checkpoint: Path,
    data: str | Path,
    name: str,
    folder: str | Path,
    manifest: Manifest,
    half: bool = True,
    compiled: bool = True,
    corruptions: int | None = None,
) -> tuple[Path, dict[str, Any]]:
    """Write NAME.keras, its figures NAME.json and its model card NAME.md.

    The model is calibrated: the temperature fitted on the validation split is merged into its last
    layer. Its kernels are stored in float16 unless `half` is False. The file is measured as
    written, after loading it again.

    Args:
        checkpoint: a .keras file, in its run folder or not.
        data: the dataset's folder, with a validation split.
        name: name of the files.
        folder: output folder.
        manifest: the dataset.
        half: store kernels in float16.
        compiled: also write NAME.tflite, see ``compiled.add_compiled``.
        corruptions: images to measure with corruptions, for the card; None: none.

    Returns:
        The path of NAME.keras, and all figures.

    Raises:
        UserError: the model does not fit the dataset, or float16 cannot represent it.
    """
    model = load_model(checkpoint, None, manifest.class_names)
    split = load_split(data, SPLIT, manifest, *model.input_shape[2:])
    views = logits_per_view(model, split, "flip")
    before = measure(views[0], split)
    temperature = fit_temperature(views, split.labels)
    merge_temperature(model, temperature)
    folder = Path(folder)
    file = folder / f"{name}.keras"
    with written_atomically(file) as draft:
        model.save(draft)
        if half:
            try:
                halve(draft)
            except ValueError as error:
                advice = "store it in full precision with --half False"
                raise UserError(checkpoint, str(error), advice) from error
        stored = load_model(draft)
        stored_views = logits_per_view(stored, split, "flip")
        figures = {
            "name": name,
            "ships": is_weights_folder(folder),
            "data": _data(manifest),
            "split": SPLIT,
            "accuracy_before": before["accuracy"],
            "temperature": temperature,
            "calibration_error_before": before["expected_calibration_error"],
            "calibration_errors_held_out": held_out_errors(views, split.labels),
            "calibration_errors_if_perfect": errors_if_perfect(views / temperature),
            "plain": {**measure(stored_views[0], split), "tta": "none"},
            "flip": {**measure(combine_views(stored_views), split), "tta": "flip"},
            "largest_difference": float(np.abs(views / temperature - stored_views).max()),
            "half_precision": half,
            "bytes": draft.stat().st_size,
            "model": _architecture(stored),
            "training": _training(checkpoint, stored),
            "training_before": _training_before(checkpoint, stored),
            "released": _made_here(),
            **_robustness(stored, split, corruptions),
        }
        # The model is written last: where it exists, its card does too.
        write_json(folder / f"{name}.json", figures)
        with written_atomically(folder / f"{name}.md") as card:
            card.write_text(model_card(figures), encoding="utf-8")
    if compiled:
        figures = add_compiled(file, figures, split)
    return file, figures


def compile_release(
    file: Path, data: str | Path, manifest: Manifest, corruptions: int | None = None
) -> dict[str, Any]:
    """Add the compiled file to a release that has none, or write it again.

    Args:
        file: NAME.keras of a release, next to NAME.json.
        data: the folder of the dataset that it was measured on.
        manifest: the dataset.
        corruptions: images to measure with corruptions, for the card; None: the card keeps what it
            says about them.

    Returns:
        The figures of the release with "compiled" added, and "robustness" if it was measured.

    Raises:
        UserError: the file is not part of a release, or cannot be compiled; see
            ``compiled.add_compiled``.
    """
    try:
        figures = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        split_name = figures["split"]
    except (OSError, ValueError, KeyError) as error:
        problem = f"has no figures {file.with_suffix('.json').name} of a release beside it"
        raise UserError(file, problem, "release it first") from error
    model = load_model(file, None, manifest.class_names)
    split = load_split(data, split_name, manifest, *model.input_shape[2:])
    return add_compiled(file, figures | _robustness(model, split, corruptions), split)


def _robustness(model: keras.Model, split: Split, count: int | None) -> dict[str, Any]:
    """The figures of one view under "robustness"; nothing if they are not wanted."""
    return {"robustness": measure_robustness(model, split, UNSURE, count)} if count else {}


def _made_here() -> dict[str, Any]:
    made = provenance()
    return {
        **{key: value for key, value in made.items() if key != "packages"},
        "processor": processor_name(),
        **made["packages"],
    }


def _data(manifest: Manifest) -> dict[str, Any]:
    described = manifest.description
    return {
        "dataset": described.get("dataset", "fer2013"),
        "taken": described["taken"],
        "val_from": described["val_from"],
        "rows": {name: split["rows"] for name, split in described["splits"].items()},
        "class_names": list(manifest.class_names),
    }


def _architecture(model: keras.Model) -> dict[str, Any]:
    package = entry_of_model(model)
    return {
        "model": package.name if package else "unknown",
        "parameters": model.count_params(),
        "multiply_adds": multiply_adds(model),
        "input": list(model.input_shape[1:]),
    }


def _training_before(checkpoint: Path, model: keras.Model) -> list[dict[str, Any]]:
    """The trainings of the initial weights, and of theirs, and so on: the last one first."""
    run, steps = RunFolder(Path(checkpoint).parent), []
    while run.exists and (start := run.recipe().init_from):
        run = RunFolder(Path(start).parent)
        steps.append(
            _training(Path(start), model)
            or {"How": {"weights": f"{start}, whose training is unknown"}}
        )
    return steps


def _training(checkpoint: Path, model: keras.Model) -> dict[str, Any] | None:
    """The record of the run folder, section by section; None if the file is not in one."""
    run = RunFolder(Path(checkpoint).parent)
    if not run.exists:
        return None
    sections, history = training_sections(run.record(), model), run.history()
    sections["Trained"]["epoch"] = (
        f"{run.best_epoch(history)['epoch']} of {len(history)}, the best on {SPLIT}"
    )
    return sections
