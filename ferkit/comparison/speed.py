"""What a model costs: multiply-adds of one image, and images a second measured beside others."""

import statistics
import time

SPEED_BATCH = 32
SPEED_ROUNDS, FEWEST_ROUNDS = 20, 5
ROUNDS_SECONDS = 20  # a contestant: behind the fewest rounds, no further one begins after this
TURN_SECONDS = 0.1  # what one contestant is timed for in a round, one step at least


def measure_speed(models: dict, recipes: dict) -> dict[str, dict]:
    """Images a second in training and in inference, by contestant: medians of steps at one batch
    size, on random pixels.

    All contestants are measured in turn, round after round, in this process: what else the machine
    does then slows all of them, not one. They are held in memory together.

    Args:
        models: name -> Keras model; training changes it.
        recipes: name -> recipe.
    """
    works = {
        (name, kind): work
        for name, model in models.items()
        for kind, work in _works(model, recipes[name]).items()
    }
    seconds = {key: [] for key in works}
    for work in works.values():
        work()  # traces and compiles
    began = time.perf_counter()
    for done in range(SPEED_ROUNDS):
        if done >= FEWEST_ROUNDS and time.perf_counter() - began > ROUNDS_SECONDS * len(models):
            break
        for key, work in works.items():
            work()  # the caches still hold what the one before used
            turn = time.perf_counter()
            while True:
                started = time.perf_counter()
                work()
                seconds[key].append(time.perf_counter() - started)
                if time.perf_counter() - turn > TURN_SECONDS:
                    break
    speeds = {name: {} for name in models}
    for (name, kind), durations in seconds.items():
        speeds[name][f"{kind}_images_per_second"] = SPEED_BATCH / statistics.median(durations)
    return speeds


def _works(model, recipe):
    """One step of training and one of inference, as functions without arguments that return when
    all is computed.
    """
    from ferkit.evaluation.inference import BatchedLogits

    pixels, logits = (
        _random_pixels(model, SPEED_BATCH),
        BatchedLogits(model, model.input_shape[1:]),
    )
    return {
        "training": training_step(model, recipe, SPEED_BATCH),
        "inference": lambda: logits(pixels, SPEED_BATCH),
    }


def training_step(model, recipe, batch_size: int):
    """A step of the project's trainer on random pixels, as a function without arguments that
    returns when all is computed.
    """
    import tensorflow as tf

    from ferkit.training.devices import one_device
    from ferkit.training.step import TrainingStep

    step = TrainingStep(model, recipe, one_device())
    rows = tf.range(batch_size)
    labels = rows % model.output_shape[-1]
    pixels = tf.constant(_random_pixels(model, batch_size), tf.float32)
    batch = (
        pixels,
        tf.one_hot(labels, model.output_shape[-1]),
        labels,
        rows,
        tf.constant(batch_size),
    )
    totals = tf.zeros(step.totals_size, tf.float64)
    # At a learning rate of 0: random pixels teach nothing, and might make the weights NaN.
    return lambda: step(batch, 0.0, totals).numpy()


def _random_pixels(model, count):
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (count, *model.input_shape[1:]), np.uint8)
