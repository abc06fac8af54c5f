"""Learning-rate schedules."""

import math


def learning_rate(recipe, step: int, steps_per_epoch: int, scores=()) -> float:
    """The learning rate of a step, counted from 0 over the whole training.

    Args:
        recipe: a ``Recipe``.
        step: batches before this one.
        steps_per_epoch: batches an epoch.
        scores: of the epochs so far, higher is better, for ``schedule="plateau"``.
    """
    epoch = step / steps_per_epoch
    if epoch < recipe.warmup_epochs:
        return recipe.learning_rate * (step + 1) / (recipe.warmup_epochs * steps_per_epoch)
    factor = 1.0
    if recipe.schedule == "cosine":
        done = (epoch - recipe.warmup_epochs) / max(recipe.epochs - recipe.warmup_epochs, 1e-9)
        factor = 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
        return recipe.min_learning_rate + (recipe.learning_rate - recipe.min_learning_rate) * factor
    if recipe.schedule == "step":
        factor = recipe.decay ** math.floor(epoch / recipe.decay_epochs)
    elif recipe.schedule == "exponential":
        factor = recipe.decay ** (epoch / recipe.decay_epochs)
    elif recipe.schedule == "plateau":
        factor = recipe.decay ** plateaus(scores, recipe.decay_epochs)
    return max(recipe.learning_rate * factor, recipe.min_learning_rate)


def plateaus(scores, patience: float) -> int:
    """How often `patience` epochs went by without a score above all before them; the count of epochs then starts anew."""
    count, waited, best = 0, 0, None
    for score in scores:
        if best is None or score > best:
            best, waited = score, 0
        else:
            waited += 1
            if waited >= patience:
                count, waited = count + 1, 0
    return count
