"""The per-epoch history: the best epoch, and whether training is finished."""

from ferkit.recipes.recipe import Recipe


def epochs_without_better(scores) -> int:
    """How many epochs have passed since the best one; the first of equal ones counts."""
    return len(scores) - 1 - scores.index(max(scores)) if scores else 0


def epoch_scores(history: list[dict]) -> list[tuple[float, float]]:
    """Of each row of a history, higher is better: validation accuracy, then minus the loss."""
    return [(float(row["val_accuracy"]), -float(row["val_loss"])) for row in history]


def is_finished(recipe: Recipe, epoch: int, step: int, history: list[dict]) -> bool:
    """Whether a training that stands there is over: its last epoch done, or stopped early."""
    return step == 0 and (epoch >= recipe.epochs or is_stopped_early(recipe, history))


def is_stopped_early(recipe: Recipe, history: list[dict]) -> bool:
    """Whether so many epochs went by without a better one as the recipe allows."""
    return 0 < recipe.early_stopping <= epochs_without_better(epoch_scores(history))
