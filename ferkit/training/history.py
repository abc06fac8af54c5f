"""The per-epoch history: the best epoch, and whether training is finished."""

from collections.abc import Mapping, Sequence
from typing import Any

from ferkit.recipes.recipe import Recipe


def epochs_without_better(scores: Sequence[tuple[float, float]]) -> int:
    """Number of epochs since the best one; of equal ones, since the first."""
    return len(scores) - 1 - scores.index(max(scores)) if scores else 0


def epoch_scores(history: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """The score of each epoch, higher is better: validation accuracy, then minus the loss."""
    return [(float(row["val_accuracy"]), -float(row["val_loss"])) for row in history]


def is_finished(
    recipe: Recipe, epoch: int, step: int, history: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether a training at that position is finished: by its last epoch or early stopping."""
    return step == 0 and (epoch >= recipe.epochs or is_stopped_early(recipe, history))


def is_stopped_early(recipe: Recipe, history: Sequence[Mapping[str, Any]]) -> bool:
    """Whether early stopping applies."""
    return 0 < recipe.early_stopping <= epochs_without_better(epoch_scores(history))
