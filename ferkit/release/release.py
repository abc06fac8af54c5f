"""Releases a trained model as one small, calibrated file with its model card."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ferkit.errors import UserError, foreign_format
from ferkit.evaluation.evaluate import combine_views, format_evaluation, logits_per_view
from ferkit.evaluation.inputs import load_fitting_split
from ferkit.evaluation.metrics import mean_probabilities, measure
from ferkit.evaluation.robustness import measure_robustness
from ferkit.evaluation.selective import measure_selective
from ferkit.files import write_json, written_atomically
from ferkit.input_pipeline.dataset import Split
from ferkit.input_pipeline.fingerprint import fingerprint_of
from ferkit.input_pipeline.learned import unexpectedly_learned
from ferkit.models.multiply_adds import multiply_adds
from ferkit.models.registry import entry_of_model, health_of_model
from ferkit.models.saved_model import load_model
from ferkit.models.shipped_weights import is_weights_folder, model_file
from ferkit.models.trained_on import TrainedOn, read_trained_on, write_trained_on
from ferkit.provenance import processor_name, provenance
from ferkit.recognition.results import UNSURE
from ferkit.release.calibration import (
    MIN_IMAGES,
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

__all__ = ["MIN_IMAGES", "format_evaluation", "release"]

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
    layer, unless it has too few images that the model has not learned. Its kernels are stored in
    float16 unless `half` is False. The file is measured as written, after loading it again.

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
    record = read_trained_on(checkpoint)
    split = load_fitting_split(model, manifest, SPLIT, record)
    views = logits_per_view(model, split, "flip")
    before = measure(views[0], split)
    calibration = _calibration(views, split)
    temperature = calibration["temperature"]
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
        write_trained_on(draft, record)
        stored = load_model(draft)
        stored_views = logits_per_view(stored, split, "flip")
        training, *training_before = trainings_of(Path(checkpoint), stored)
        figures = {
            "name": name,
            "ships": is_weights_folder(folder),
            "data": _data(manifest),
            "split": SPLIT,
            "accuracy_before": before["accuracy"],
            "trained_on": trained_on_dataset(record, manifest),
            **calibration,
            "calibration_error_before": before["expected_calibration_error"],
            "plain": {**measure(stored_views[0], split), "tta": "none"},
            "flip": {**measure(combine_views(stored_views), split), "tta": "flip"},
            "largest_difference": float(np.abs(views / temperature - stored_views).max()),
            "half_precision": half,
            "bytes": draft.stat().st_size,
            "model": _architecture(stored),
            "measurements": _measurements(stored, split),
            **_selective(stored_views, split),
            "training": training,
            "training_before": training_before,
            "released": _made_here(),
            **_robustness(stored, split, corruptions),
        }
        # The model is written last: where it exists, its card does too.
        write_json(folder / f"{name}.json", figures)
        with written_atomically(folder / f"{name}.md") as card:
            card.write_text(model_card(figures), encoding="utf-8")
    if compiled:
        figures = add_compiled(file, figures, split, stored_views)
    return file, figures


def _measurements(model: keras.Model, split: Split) -> dict[str, str]:
    """What the model's package reports about it: name -> value."""
    health = health_of_model(model)
    return health.measurements(model, split.images[:]) if health else {}


def trained_on_dataset(record: TrainedOn, manifest: Manifest) -> dict[str, Any]:
    """The summary of a record, and whether it includes the train split of this dataset."""
    rows = fingerprint_of(manifest)["rows_sha256"]
    includes = any(entry["rows_sha256"] == rows for entry in record.datasets)
    return {**record.summary(), "text": record.describe(), "this_dataset": includes}


def _calibration(views: np.ndarray, split: Split) -> dict[str, Any]:
    """The temperature and its errors, by the images that the model has not learned."""
    new = ~unexpectedly_learned(split)
    count = int(new.sum())
    if count < MIN_IMAGES:
        return {
            "temperature": 1.0,
            "calibration_images": count,
            "calibration_errors_held_out": None,
            "calibration_errors_if_perfect": None,
        }
    views, labels = views[:, new], split.labels[new]
    temperature = fit_temperature(views, labels)
    return {
        "temperature": temperature,
        "calibration_images": count,
        "calibration_errors_held_out": held_out_errors(views, labels),
        "calibration_errors_if_perfect": errors_if_perfect(views / temperature),
    }


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
        The figures of the release with "compiled" and "selective" added, and "robustness" if it was
        measured.

    Raises:
        UserError: the file is not part of a release, or cannot be compiled; see
            ``compiled.add_compiled``.
    """
    problem = f"has no figures {file.with_suffix('.json').name} of a release beside it"
    with foreign_format(UserError, file, problem, "release it first"):
        figures = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        split_name = figures["split"]
    model = load_model(file, None, manifest.class_names)
    split = load_fitting_split(model, manifest, split_name, read_trained_on(file))
    figures = {key: value for key, value in figures.items() if key != "selective"}
    figures |= {"measurements": _measurements(model, split)}
    views = logits_per_view(model, split, "flip")
    figures |= {**_selective(views, split), **_robustness(model, split, corruptions)}
    return add_compiled(file, figures, split, views)


def _selective(views: np.ndarray, split: Split) -> dict[str, Any]:
    """When not to answer, under "selective", for one view and for the average of both.

    It is measured on images that the model has not learned and that copy none of its training
    images, because new photos do not either. Nothing is measured with fewer than ``MIN_IMAGES``.

    Args:
        views: logits ``(2, rows, classes)``, of the images and their mirror images.
        split: the images.
    """
    new = ~unexpectedly_learned(split) & (split.copy_kind == "")
    if new.sum() < MIN_IMAGES:
        return {}
    labels, views = split.labels[new], views[:, new]
    return {
        "selective": {
            "plain": measure_selective(mean_probabilities(views[:1]), labels),
            "flip": measure_selective(mean_probabilities(views), labels),
        }
    }


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


def trainings_of(checkpoint: Path, model: keras.Model) -> list[dict[str, Any] | None]:
    """The training of a file, that of its initial weights, and so on: the last one first.

    The first is None if it is unknown.
    """
    steps: list[dict[str, Any] | None] = []
    file, given = checkpoint, str(checkpoint)
    while True:
        released = _released_trainings(file)
        if released:
            return [*steps, *released]
        training = _training(file, model)
        unknown = {"How": {"weights": f"{given}, whose training is unknown"}} if steps else None
        steps.append(training or unknown)
        given = RunFolder(file.parent).recipe().init_from if training else ""
        if not given:
            return steps
        file = _initial_weights(given)


def _initial_weights(name: str) -> Path:
    try:
        return model_file(name)
    except UserError:  # removed since the training
        return Path(name)


def _released_trainings(file: Path) -> list[dict[str, Any]]:
    """The trainings that NAME.json of released weights describes: the last one first."""
    try:
        figures = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        steps = [figures["training"], *figures["training_before"]]
        return [step for step in steps if step]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _training(checkpoint: Path, model: keras.Model) -> dict[str, Any] | None:
    """The record of the run folder, section by section; None if the file is not in one."""
    run = RunFolder(Path(checkpoint).parent)
    if not run.exists:
        return None
    sections, history = training_sections(run.record(), model), run.history()
    is_last = Path(checkpoint).name == run.last.name
    best = f"{run.best_epoch(history)['epoch']} of {len(history)}, the best on {SPLIT}"
    last = f"{len(history)} of {len(history)}, the last"
    sections["Trained"]["epoch"] = last if is_last else best
    return sections
