"""Release: a trained model as one small file that others can trust, with its model card."""

import json
from pathlib import Path

import numpy as np

from ferkit.errors import UserError
from ferkit.evaluation.evaluate import in_one, view_logits
from ferkit.evaluation.metrics import measure
from ferkit.files import written_atomically
from ferkit.input_pipeline.dataset import load_split
from ferkit.models.saved_model import load_model
from ferkit.models.shipped_weights import is_weights_folder
from ferkit.provenance import processor_name, provenance
from ferkit.release.calibration import (
    errors_if_perfect,
    fit_temperature,
    fold_temperature,
    held_out_errors,
)
from ferkit.release.half_precision import halve
from ferkit.release.model_card import model_card
from ferkit.reporting.html_report import training_sections
from ferkit.training.run_folder import RunFolder

SPLIT = "val"


def release(
    checkpoint: Path, data: str | Path, name: str, folder: str | Path, manifest, half: bool = True
) -> tuple[Path, dict]:
    """Write NAME.keras, its figures NAME.json and its model card NAME.md.

    The model is calibrated: the temperature that the validation split asks for is folded into its last layer. Its kernels are
    stored in float16 unless `half` is False. What is measured is the file as written, loaded again.

    Args:
        checkpoint: a .keras file, in its run folder or not.
        data: the dataset's folder, with a validation split.
        name: of the files.
        folder: where to write.
        manifest: the dataset's.
        half: store kernels in float16.

    Returns:
        The path of NAME.keras, and all figures.

    Raises:
        UserError: the model does not fit the dataset, or float16 cannot hold it.
    """
    model = load_model(checkpoint, None, manifest.class_names)
    split = load_split(data, SPLIT, manifest, *model.input_shape[2:])
    views = view_logits(model, split, "flip")
    before = measure(views[0], split)
    temperature = fit_temperature(views, split.labels)
    fold_temperature(model, temperature)
    folder = Path(folder)
    file = folder / f"{name}.keras"
    with written_atomically(file) as draft:
        model.save(draft)
        if half:
            try:
                halve(draft)
            except ValueError as error:
                raise UserError(
                    f"{checkpoint}: {error}; keep it in full with --half False."
                ) from error
        stored = load_model(draft)
        stored_views = view_logits(stored, split, "flip")
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
            "flip": {**measure(in_one(stored_views), split), "tta": "flip"},
            "largest_difference": float(np.abs(views / temperature - stored_views).max()),
            "half_precision": half,
            "bytes": draft.stat().st_size,
            "model": _architecture(stored),
            "training": _training(checkpoint, stored),
            "training_before": _training_before(checkpoint, stored),
            "released": _made_here(),
        }
        # The model comes last: where it lies, its card does too.
        _write(folder / f"{name}.json", json.dumps(figures, indent=2) + "\n")
        _write(folder / f"{name}.md", model_card(figures))
    return file, figures


def _write(path, text):
    with written_atomically(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _made_here():
    made = provenance()
    return {
        **{key: value for key, value in made.items() if key != "packages"},
        "processor": processor_name(),
        **made["packages"],
    }


def _data(manifest):
    described = manifest.description
    return {
        "dataset": described.get("dataset", "fer2013"),
        "taken": described["taken"],
        "val_from": described["val_from"],
        "rows": {name: split["rows"] for name, split in described["splits"].items()},
        "class_names": list(manifest.class_names),
    }


def _architecture(model):
    from ferkit.models.multiply_adds import multiply_adds
    from ferkit.models.registry import entry_of_model

    return {
        "model": entry_of_model(model).name,
        "parameters": model.count_params(),
        "multiply_adds": multiply_adds(model),
        "input": list(model.input_shape[1:]),
    }


def _training_before(checkpoint, model):
    """The same of the weights that the training started from, and of those they started from: the last step first."""
    run, steps = RunFolder(Path(checkpoint).parent), []
    while run.exists and (start := run.record()["recipe"].get("init_from")):
        run = RunFolder(Path(start).parent)
        steps.append(
            _training(start, model) or {"How": {"weights": f"{start}, whose training is not known"}}
        )
    return steps


def _training(checkpoint, model):
    """What its run folder says of the training, section by section; None where the file lies in none."""
    run = RunFolder(Path(checkpoint).parent)
    if not run.exists:
        return None
    sections, history = training_sections(run.record(), model), run.history()
    sections["Trained"]["epoch"] = (
        f"{run.best_epoch(history)['epoch']} of {len(history)} done, the best on {SPLIT}"
    )
    return sections
