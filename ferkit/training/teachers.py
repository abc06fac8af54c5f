"""Distillation: predictions of trained models, the teachers, become a part of the targets."""

import hashlib
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from ferkit.evaluation.evaluate import logits_per_view
from ferkit.evaluation.metrics import mean_probabilities
from ferkit.files import written_atomically
from ferkit.input_pipeline.dataset import Split
from ferkit.input_pipeline.fit_images import resize_to_input
from ferkit.models.saved_model import load_model
from ferkit.models.shipped_weights import model_file
from ferkit.verified_arrays import DamagedFileError, read_arrays, write_arrays


def teacher_probabilities(split: Split, teachers: str, store: Path | None = None) -> np.ndarray:
    """Probabilities for each row, averaged over the teachers and over two mirrored views.

    The teachers predict each row once, without augmentation, which takes minutes. With
    ``teacher_images`` "augmented", ``BatchTeachers`` predict each batch instead.

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
    files = _model_files(teachers)
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


class BatchTeachers:
    """Teachers that predict the augmented images of each batch, so that both see the same image.

    On the images they were trained with, teachers repeat what they have memorized. What they
    predict for rotated, shifted and blended versions is closer to what they predict for new faces.

    Args:
        teachers: .keras files or names of shipped weights, separated by commas.
        class_names: classes of the dataset, in order.
        weight: weight of the teachers in the target, in [0, 1].

    Raises:
        UserError: a teacher cannot be loaded, or has other classes.

    Reference: Beyer et al., arXiv 2106.05237, section 3.1.
    """

    def __init__(self, teachers: str, class_names: tuple[str, ...], weight: float) -> None:
        self._models = [
            load_model(file, class_names=class_names) for file in _model_files(teachers)
        ]
        self._weight = weight

    def mixed_targets(self, images: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """The targets, mixed with the mean probabilities of the teachers.

        Args:
            images: pixels in [0, 255], float ``(rows, height, width, channels)``.
            targets: ``(rows, classes)``; a row's sum is its weight, and stays the same.
        """
        probabilities = [
            tf.nn.softmax(
                tf.cast(
                    model(resize_to_input(images, model.input_shape[1:]), training=False),
                    tf.float32,
                )
            )
            for model in self._models
        ]
        mean = tf.add_n(probabilities) / len(probabilities)
        row_weights = tf.reduce_sum(targets, axis=1, keepdims=True)
        return (1.0 - self._weight) * targets + self._weight * row_weights * mean


def teacher_digests(teachers: str) -> dict[str, str]:
    """SHA-256 of each teacher's file, by the name it has in --teacher.

    Args:
        teachers: .keras files or names of shipped weights, separated by commas.

    Raises:
        UserError: a teacher is not found.
    """
    files = zip(_names(teachers), _model_files(teachers), strict=True)
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files}


def _names(teachers: str) -> list[str]:
    """The names in --teacher."""
    return [name.strip() for name in teachers.split(",")]


def _model_files(teachers: str) -> list[Path]:
    """The files of the teachers, which are named as in --teacher."""
    return [model_file(name, "--teacher") for name in _names(teachers)]


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
