"""The optimizer and the learning-rate schedule of a recipe."""

import math
from collections.abc import Sequence

import keras

from ferkit.recipes.recipe import Recipe


def build_optimizer(
    recipe: Recipe, variables: list[keras.Variable], undecayed: Sequence[keras.Variable] = ()
) -> keras.optimizers.Optimizer:
    """The recipe's optimizer, built for `variables`: all its state exists before the first step.

    Weight decay is decoupled, and not applied to biases, normalization and other one-dimensional
    weights, nor to those in `undecayed`. With ``precision`` float16 the loss is scaled, and steps
    whose gradients overflow are
    skipped.
    """
    decay = recipe.weight_decay or None
    if recipe.optimizer in ("adam", "adamw"):
        optimizer = keras.optimizers.Adam(recipe.learning_rate, weight_decay=decay)
    else:
        nesterov = recipe.optimizer == "sgd"
        optimizer = keras.optimizers.SGD(
            recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov, weight_decay=decay
        )
    if decay:
        flat = [variable for variable in variables if len(variable.shape) < 2]
        optimizer.exclude_from_weight_decay(var_list=[*flat, *undecayed])
    if recipe.precision == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer


def learning_rate(
    recipe: Recipe, step: int, steps_per_epoch: int, scores: Sequence[tuple[float, float]] = ()
) -> float:
    """The learning rate of a step, counted from 0 over the whole training.

    Args:
        recipe: hyperparameters.
        step: number of steps before this one.
        steps_per_epoch: number of steps in an epoch.
        scores: score of each epoch so far, higher is better; for ``schedule="plateau"``.
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


def plateaus(scores: Sequence[tuple[float, float]], patience: float) -> int:
    """How often `patience` epochs passed without a new best score; counting then starts again."""
    count, waited, best = 0, 0, None
    for score in scores:
        if best is None or score > best:
            best, waited = score, 0
        else:
            waited += 1
            if waited >= patience:
                count, waited = count + 1, 0
    return count
