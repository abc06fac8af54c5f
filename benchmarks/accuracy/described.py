"""Saves weights that a script made, with what a release says about their training."""

from pathlib import Path
from typing import Any

import keras

from ferkit.files import write_json
from ferkit.models.trained_on import TrainedOn, write_trained_on


def save_described(
    model: keras.Model, path: Path, record: TrainedOn, command: str, before: list[Any]
) -> None:
    """Write the model with the record of its training images, and a description beside it.

    Args:
        model: the model.
        path: a .keras file; the description is the .json file of the same name.
        record: what the weights were trained on.
        command: how they were made.
        before: ``release.trainings_of`` the weights that they were made of, the last one first.
    """
    model.save(path)
    write_trained_on(path, record)
    description = {"training": {"How": {"command": command}}, "training_before": before}
    write_json(path.with_suffix(".json"), description)
