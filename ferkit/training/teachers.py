"""Distillation: predictions of trained models, the teachers, become a part of the targets."""

import hashlib
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ferkit.evaluation.evaluate import logits_per_view
from ferkit.evaluation.metrics import mean_probabilities
from ferkit.files import written_atomically
from ferkit.input_pipeline.dataset import Split
from ferkit.models.saved_model import load_model
from ferkit.models.shipped_weights import model_file
from ferkit.verified_arrays import DamagedFileError, read_arrays, write_arrays


def teacher_probabilities(split: Split, teachers: str, store: Path | None = None) -> np.ndarray:
    """Probabilities for each row, averaged over the teachers and over two mirrored views.

    The teachers predict each row once, without augmentation: this takes minutes, where predicting
    every augmented view would take a third of the training.

    Args:
        split: the training rows.
        teachers: .keras files or names of shipped weights, separated by commas.
        store: a .npz file. Predictions of the same teachers for the same rows are read from it;
            otherwise it is written.

    Returns:
        float64 ``(rows, classes)``; each row sums to 1.

    Raises:
        UserError: a teacher cannot be loaded, or has other classes.

    Reference: Hinton et al., arXiv 1503.02531, at temperature 1.
    """
    files = [model_file(name.strip(), "--teacher") for name in teachers.split(",")]
    fingerprint = _fingerprint(files, split)
    predictions = _stored_predictions(store, fingerprint) if store else None
    if predictions is None:
        shown = tqdm(
            files, desc="Predictions of the teachers", unit="model", leave=False, disable=None
        )
        models = (load_model(file, class_names=split.class_names) for file in shown)
        predictions = mean_probabilities(
            np.concatenate([logits_per_view(model, split, "flip") for model in models]).astype(
                np.float64
            )
        )
        if store:
            with written_atomically(store) as draft, open(draft, "wb") as out:
                write_arrays(out, {"asked": np.array(fingerprint), "answers": predictions})
    return predictions


def _fingerprint(files: list[Path], split: Split) -> str:
    """Identifies the teachers, their order and the rows; of the images only their shape."""
    digest = hashlib.sha256()
    rows = split.images.shape, split.class_names, split.labels.tolist(), split.source_row.tolist()
    for content in (*(file.read_bytes() for file in files), repr(rows).encode()):
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _stored_predictions(store: Path, fingerprint: str) -> np.ndarray | None:
    """The predictions in that file, or None if it has none for this fingerprint."""
    try:
        stored = read_arrays(store)
        return stored["answers"] if str(stored["asked"]) == fingerprint else None
    except (DamagedFileError, KeyError):
        return None
