"""Loads what is measured: a saved model, and a split with images that fit its input."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import keras

from ferkit.evaluation.compiled_classifier import CompiledClassifier
from ferkit.input_pipeline.dataset import Split, load_split
from ferkit.input_pipeline.learned import with_learned
from ferkit.models.saved_model import load_model, other_classes
from ferkit.models.trained_on import TrainedOn, read_trained_on
from generate_data.manifest import Manifest

if TYPE_CHECKING:
    from ferkit.recognition.runtimes import Runtime

__all__ = [
    "compiled_model_and_split",
    "load_fitting_split",
    "load_model",
    "load_model_and_split",
    "read_trained_on",
]


def load_model_and_split(
    path: Path, manifest: Manifest, split_name: str, model_name: str | None = None
) -> tuple[keras.Model, Split]:
    """Load a saved model and a split of a dataset with the same classes.

    Args:
        path: a .keras file.
        manifest: of the dataset.
        split_name: "train", "val", "test" or "unlabelled".
        model_name: the name of the model that the file must hold, or None.

    Raises:
        UserError: the file is damaged, or holds another model or other classes.
        generate_data.errors.DataError: the dataset has no such split, or it cannot be read.
    """
    model = load_model(path, model_name, manifest.class_names)
    return model, load_fitting_split(model, manifest, split_name)


def compiled_model_and_split(
    path: Path, runtime: Runtime, manifest: Manifest, split_name: str
) -> tuple[CompiledClassifier, Split]:
    """A loaded compiled model as a classifier, and a split of a dataset with the same classes.

    Raises:
        UserError: the model has other classes.
        generate_data.errors.DataError: the dataset has no such split, or it cannot be read.
    """
    if runtime.class_names != tuple(manifest.class_names):
        raise other_classes(path, runtime.class_names, manifest.class_names)
    model = CompiledClassifier(runtime)
    text = runtime.trained_on
    record = TrainedOn.from_text(text, path) if text else TrainedOn()
    return model, load_fitting_split(model, manifest, split_name, record)


def load_fitting_split(
    model: keras.Model | CompiledClassifier,
    manifest: Manifest,
    split_name: str,
    record: TrainedOn | None = None,
) -> Split:
    """A split of a dataset, its images in the size and with the channels of the model's input.

    Args:
        model: the model.
        manifest: of the dataset.
        split_name: "train", "val", "test" or "unlabelled".
        record: what the model was trained on; the split then has ``learned``. This reads every
            image.
    """
    split = load_split(manifest.folder, split_name, manifest, *model.input_shape[2:])
    return with_learned(split, record) if record else split
