"""The reports of a run and of an evaluation, and the TensorBoard log of a run."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from ferkit.evaluation.evaluate import evaluate_split, format_evaluation
from ferkit.input_pipeline.dataset import Split
from ferkit.input_pipeline.fit_images import resize_to_input
from ferkit.models.saved_model import load_model
from ferkit.provenance import provenance
from ferkit.reporting.html_report import training_sections, write_report
from ferkit.reporting.model_views import model_pictures
from ferkit.reporting.tensorboard import TensorBoardLog
from ferkit.training.run_folder import RunFolder

SAMPLE_FACES = 16


def report_best_epoch(run: RunFolder, val_split: Split) -> str:
    """Measure best.keras on the validation split and write the run's report.

    Args:
        run: a run whose training is finished.
        val_split: the validation split of the trainer, with images of the model's input size.

    Returns:
        The figures and the path of the report, for the terminal.
    """
    model = load_model(run.best)
    figures, probabilities = evaluate_split(model, val_split)
    history = run.history()
    best = run.best_epoch(history)
    views = model_pictures(model, sample_faces(model, val_split))
    page = write_report(
        run.report,
        figures,
        probabilities,
        val_split.labels,
        history,
        describe_checkpoint(run.best),
        training_sections(run.record(), model),
        {f"What the model looks at: {name}": grid for name, grid in views.items()},
    )
    return (
        f"\nFinished. Best epoch: {best['epoch']} of {len(history)}, saved as {run.best}\n"
        f"{format_evaluation(figures)}\nReport: {page}"
    )


def tensorboard_log(
    run: RunFolder, model: keras.Model, val_split: Split, images_every: int
) -> TensorBoardLog:
    """The TensorBoard log of a run, in its folder tensorboard/.

    Args:
        run: the run.
        model: the model that is trained.
        val_split: the validation split, whose first faces are shown.
        images_every: epochs from one set of images to the next.
    """
    faces = sample_faces(model, val_split)
    folder = run.path / "tensorboard"
    return TensorBoardLog(folder, model, val_split.class_names, faces, images_every)


def sample_faces(model: keras.Model, split: Split) -> np.ndarray:
    """The first 16 images of a split, resized to the model's input.

    Returns:
        uint8 ``(n, height, width, channels)``.
    """
    resized = resize_to_input(split.images[:SAMPLE_FACES], model.input_shape[1:])
    return resized.numpy().round().astype("uint8")


def describe_checkpoint(path: Path) -> dict[str, str]:
    """What made a checkpoint and its report: name -> text.

    Args:
        path: a .keras file. If it is in a run folder, that run's record is described too.
    """
    made_with = provenance()
    about: dict[str, Any] = {
        "checkpoint": path,
        "report by": made_with["command"],
        "at commit": made_with["commit"],
    }
    run = RunFolder(path.parent)
    if run.recipe_file.exists():
        record = run.record()
        recipe, trained = record["recipe"], record["made_with"]
        packages = trained["packages"].items()
        about |= {
            "trained by": trained["command"],
            "trained at commit": trained["commit"],
            "seed": recipe["seed"],
            "recipe": f"{recipe['model']}, {recipe['name']}",
            "packages": ", ".join(f"{name} {version}" for name, version in packages if version),
        }
    return {key: str(value) for key, value in about.items()}


def write_evaluation_report(
    folder: str | Path,
    checkpoint: Path,
    figures: dict[str, Any],
    probabilities: np.ndarray,
    labels: np.ndarray,
) -> Path:
    """Write the report of one evaluation, with the learning curves of the checkpoint's run.

    Args:
        folder: where the report is written.
        checkpoint: the .keras file that was measured, in its run folder or not.
        figures: those from ``evaluation.evaluate``.
        probabilities: ``(rows, classes)``.
        labels: ``(rows,)``.

    Returns:
        The path of index.html.
    """
    history = RunFolder(checkpoint.parent).history()
    about = describe_checkpoint(checkpoint)
    return write_report(folder, figures, probabilities, labels, history, about)
