"""Measures what a training spends outside its steps: input, metrics, progress and checkpoints.

    python benchmarks/training_loop.py --save

Each recipe is trained by the project's trainer on random uint8 images, with a validation split of
an eighth, as in FER2013, and a checkpoint every 5 seconds (the default is 60). The bare step, the
same graph on a batch already in memory, is timed before and after each epoch. "loop" is the time of
an epoch's steps and of everything between them, relative to the bare steps. "whole epoch" adds
validation, best.keras and the last checkpoint. At 1.0, only the steps would take time.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import paired

# model, recipe, training rows
CASES = (
    ("deep_emotion", "paper", 28_709),
    ("deep_emotion", "input_warp", 28_709),
    ("dan", "fer2013", 1_600),
)
BARE_SECONDS = 4.0


def measure_case(model_name, recipe_name, rows, rounds):
    """Per round: images/s of the loop and of the whole epoch, over those of the bare step around
    them.
    """
    from ferkit.recipes.named import named_recipe
    from ferkit.training.build_model import build_model
    from ferkit.training.run_folder import RunFolder
    from ferkit.training.trainer import Trainer

    recipe = named_recipe(
        model_name, recipe_name, epochs=rounds + 1, sampling="shuffle", learning_rate=1e-6
    )
    train, val = paired.random_split("train", rows), paired.random_split("val", rows // 8)

    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder.create(Path(folder) / "run", recipe, {})
        model = build_model(recipe, (48, 48, 1), train.class_names)
        trainer = Trainer(model, recipe, train, val, run, checkpoint_seconds=5.0)
        timing = EpochTiming(bare_speed(trainer, recipe.batch_size), rows)
        trainer.hooks = [timing]
        trainer.fit()
        timing.on_epoch_start(trainer)  # the end of the last epoch
    return timing.ratios


class EpochTiming:
    """A training hook: each epoch's images/s, compared with the bare step before and after it."""

    def __init__(self, bare, rows):
        self.bare, self.rows, self.ratios = bare, rows, []
        self.before = self.started = None
        self.epochs = 0

    def on_epoch_start(self, trainer):
        """Measure the bare step between two epochs; the first epoch, which traces, is left out."""
        now = time.perf_counter()
        after = self.bare()
        self.epochs += 1
        if self.epochs > 2:
            seconds, around = now - self.started, (self.before + after) / 2
            loop = float(trainer.history[-1]["images_per_second"])
            self.ratios.append((loop / around, self.rows / seconds / around, around))
        self.before, self.started = after, time.perf_counter()

    def on_step(self, trainer):
        """Nothing."""

    def on_epoch(self, trainer, report):
        """Nothing."""


def bare_speed(trainer, batch_size):
    """A function that returns the bare step's images/s."""
    import tensorflow as tf

    step = trainer.step_function
    batch = next(iter(trainer.batches.epoch(0)))
    totals = tf.zeros(step.totals_size, tf.float64)

    def speed():
        step(batch, 0.0, totals)
        steps, started = 0, time.perf_counter()
        while time.perf_counter() - started < BARE_SECONDS:
            step(batch, 0.0, totals).numpy()
            steps += 1
        return steps * batch_size / (time.perf_counter() - started)

    return speed


def main():
    """Measure, print medians, and save them if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="epochs of each (default: 7)")
    parser.add_argument(
        "--save", action="store_true", help="write the result to benchmarks/results/"
    )
    options = parser.parse_args()
    from ferkit.tensorflow_runtime import import_tensorflow

    import_tensorflow()
    rows = []
    for model, recipe, count in CASES:
        ratios = measure_case(model, recipe, count, options.rounds)
        loop, whole, bare = zip(*ratios, strict=True)
        spread = statistics.quantiles(loop, n=4)
        rows.append(
            {
                "recipe": f"{model} {recipe}",
                "loop_to_bare_step": f"{spread[1]:.3f} "
                f"(quartiles {spread[0]:.3f} to {spread[2]:.3f})",
                "whole_epoch_to_bare_step": f"{statistics.median(whole):.3f}",
                "bare_images_per_second_here": f"{statistics.median(bare):.0f}",
            }
        )
    title = "Training loop"
    about = f"{title}; {options.rounds} epochs, medians; {paired.machine()}; {paired.versions()}"
    print(about)
    for row in rows:
        print(
            "  {recipe:<24} loop {loop_to_bare_step}, "
            "whole epoch {whole_epoch_to_bare_step} of the bare step".format(**row)
        )
    if options.save:
        paired._save(title, about, rows)


if __name__ == "__main__":
    main()
