"""Hooks: code that runs at fixed points of a training, such as logging or measuring."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ferkit.training.trainer import Trainer


@dataclasses.dataclass(frozen=True)
class EpochReport:
    """What is known after an epoch.

    Attributes:
        epoch: number of the epoch, from 1.
        scalars: name, such as "validation/accuracy", -> value.
        confusion: confusion matrix of the validation split ``(classes, classes)``, true first.
        batch: returns augmented training images ``(n, height, width, channels)``.
    """

    epoch: int
    scalars: dict[str, float]
    confusion: np.ndarray
    batch: Callable[[], np.ndarray]


class Hook:
    """Override the methods that you need; the trainer calls them on the chief worker."""

    def on_epoch_start(self, trainer: Trainer) -> None:
        """Before the first step of an epoch, or of its rest after a resume."""

    def on_step(self, trainer: Trainer) -> None:
        """After each step."""

    def on_epoch(self, trainer: Trainer, report: EpochReport) -> None:
        """After an epoch is evaluated; the model has the weights that are evaluated and saved."""
