"""Optimizers and learning-rate schedules of a recipe."""

import math


def build_optimizer(recipe, variables):
    """The recipe's optimizer, built for `variables`, so that all its state exists before the first step.

    Weight decay is decoupled and spares biases, normalization and other one-dimensional weights.
    """
    import keras

    decay = recipe.weight_decay or None
    if recipe.optimizer == "adam":
        optimizer = keras.optimizers.Adam(recipe.learning_rate, weight_decay=decay)
    else:
        nesterov = recipe.optimizer == "sgd"
        optimizer = keras.optimizers.SGD(recipe.learning_rate, momentum=0.9, nesterov=nesterov, weight_decay=decay)
    if decay:
        optimizer.exclude_from_weight_decay(var_list=[v for v in variables if len(v.shape) < 2])
    optimizer.build(variables)
    return optimizer


def learning_rate(recipe, step: int, steps_per_epoch: int) -> float:
    """The learning rate of a step, counted from 0 over the whole training."""
    epoch = step / steps_per_epoch
    if epoch < recipe.warmup_epochs:
        return recipe.learning_rate * (step + 1) / (recipe.warmup_epochs * steps_per_epoch)
    if recipe.schedule == "cosine":
        done = (epoch - recipe.warmup_epochs) / max(recipe.epochs - recipe.warmup_epochs, 1e-9)
        return recipe.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
    if recipe.schedule == "exponential":
        return recipe.learning_rate * recipe.decay ** math.floor(epoch / recipe.decay_epochs)
    return recipe.learning_rate
