"""Distillation: what trained models, the teachers, answer to the training images becomes part of the targets."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ferkit.evaluation.evaluate import view_logits
from ferkit.evaluation.metrics import averaged
from ferkit.files import written_atomically
from ferkit.models.saved_model import load_model
from ferkit.models.shipped_weights import model_file


def teacher_probabilities(split, teachers: str, kept: Path | None = None) -> np.ndarray:
    """The teachers' probabilities for each row, averaged over them and over the image and its mirror image.

    Each row is asked about once, as it lies in the dataset, not again for every augmented view: that costs minutes where the
    other would cost a third of the training (Hinton et al., arXiv 1503.02531, at temperature 1).

    Args:
        split: a ``dataset.Split``.
        teachers: .keras files or names of shipped weights, separated by commas.
        kept: a .npz file. Answers of these very teachers to these images are read from it; others are written to it.

    Returns:
        float64 ``(rows, classes)``; each row sums to 1.

    Raises:
        UserError: one cannot be loaded, or knows other classes.
    """
    files = [model_file(name.strip()) for name in teachers.split(",")]
    asked = _fingerprint(files, split)
    answers = _kept_answers(kept, asked) if kept else None
    if answers is None:
        shown = tqdm(files, desc="Asking the teachers", unit="model", leave=False, disable=None)
        models = (load_model(file, class_names=split.class_names) for file in shown)
        answers = averaged(
            np.concatenate([view_logits(model, split, "flip") for model in models]).astype(
                np.float64
            )
        )
        if kept:
            with written_atomically(kept) as draft:
                np.savez(draft, asked=asked, answers=answers)
    return answers


def _fingerprint(files, split):
    """Tells these teachers, their order and these rows from all others; of the images it knows only the shape."""
    said = hashlib.sha256()
    rows = split.images.shape, split.class_names, split.labels.tolist(), split.source_row.tolist()
    for content in (*(file.read_bytes() for file in files), repr(rows).encode()):
        said.update(hashlib.sha256(content).digest())
    return said.hexdigest()


def _kept_answers(kept, asked):
    """The answers in that file, None where there are none to this question."""
    try:
        with np.load(kept) as found:
            return found["answers"] if found["asked"] == asked else None
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
