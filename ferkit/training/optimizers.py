"""The optimizer of a recipe."""

import keras

from ferkit.recipes.recipe import Recipe


def build_optimizer(recipe: Recipe, variables: list[keras.Variable]) -> keras.optimizers.Optimizer:
    """The recipe's optimizer, built for `variables`: all its state exists before the first step.

    Weight decay is decoupled, and not applied to biases, normalization and other one-dimensional
    weights. With ``precision`` float16 the loss is scaled, and steps whose gradients overflow are
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
        optimizer.exclude_from_weight_decay(var_list=[v for v in variables if len(v.shape) < 2])
    if recipe.precision == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer
