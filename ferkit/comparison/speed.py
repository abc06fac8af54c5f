"""The speed of models in training and inference, measured in turn."""

import statistics
import time
from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from ferkit.evaluation.inference import BatchedLogits
from ferkit.recipes.recipe import Recipe
from ferkit.training.devices import one_device
from ferkit.training.step import TrainingStep

SPEED_BATCH = 32
SPEED_ROUNDS, MIN_ROUNDS = 20, 5
ROUNDS_SECONDS = 20  # per contestant; after MIN_ROUNDS, no further round begins after this time
TURN_SECONDS = 0.1  # of a contestant in a round; at least one step

# Computes one step and returns when the result is available.
Step = Callable[[], object]


def measure_speed(
    models: Mapping[str, keras.Model], recipes: Mapping[str, Recipe]
) -> dict[str, dict[str, float]]:
    """Images per second in training and in inference: medians of steps on random pixels.

    All contestants are measured in turn in this process, round after round, so other load on the
    machine affects all of them. All models are in memory together.

    Args:
        models: name -> Keras model; training changes it.
        recipes: name -> recipe.

    Returns:
        Name -> {"training_images_per_second", "inference_images_per_second"}.
    """
    steps = {
        (name, kind): step
        for name, model in models.items()
        for kind, step in _steps(model, recipes[name]).items()
    }
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in steps}
    for step in steps.values():
        step()  # traces and compiles
    began = time.perf_counter()
    for finished_rounds in range(SPEED_ROUNDS):
        elapsed = time.perf_counter() - began
        if finished_rounds >= MIN_ROUNDS and elapsed > ROUNDS_SECONDS * len(models):
            break
        for key, step in steps.items():
            seconds[key] += _turn(step)
    speeds: dict[str, dict[str, float]] = {name: {} for name in models}
    for (name, kind), durations in seconds.items():
        speeds[name][f"{kind}_images_per_second"] = SPEED_BATCH / statistics.median(durations)
    return speeds


def _turn(step: Step) -> list[float]:
    """Durations of the steps in one turn, in seconds."""
    step()  # fills the caches, which hold data of the previous contestant
    durations: list[float] = []
    turn = time.perf_counter()
    while not durations or time.perf_counter() - turn <= TURN_SECONDS:
        started = time.perf_counter()
        step()
        durations.append(time.perf_counter() - started)
    return durations


def _steps(model: keras.Model, recipe: Recipe) -> dict[str, Step]:
    """One step of training and one of inference."""
    pixels = _random_pixels(model, SPEED_BATCH)
    logits = BatchedLogits(model, model.input_shape[1:])
    return {
        "training": training_step(model, recipe, SPEED_BATCH),
        "inference": lambda: logits(pixels, SPEED_BATCH),
    }


def training_step(model: keras.Model, recipe: Recipe, batch_size: int) -> Step:
    """A step of this project's trainer on random pixels.

    Args:
        model: the Keras model, which the step changes.
        recipe: hyperparameters.
        batch_size: number of images.
    """
    step = TrainingStep(model, recipe, one_device())
    rows = tf.range(batch_size)
    labels = rows % model.output_shape[-1]
    pixels = tf.constant(_random_pixels(model, batch_size), tf.float32)
    targets = tf.one_hot(labels, model.output_shape[-1])
    batch = (pixels, targets, labels, rows, tf.constant(batch_size))
    totals = tf.zeros(step.totals_size, tf.float64)
    # The learning rate is 0: random pixels could make the weights NaN.
    return lambda: step(batch, 0.0, totals).numpy()


def _random_pixels(model: keras.Model, count: int) -> np.ndarray:
    shape = (count, *model.input_shape[1:])
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)
