"""Compares the images per second of the input pipeline with those of training, in one run.

    python benchmarks/input_speed.py --save

For each recipe: an epoch of ``TrainingBatches`` alone, on random uint8 images in memory, and steps
of the project's trainer on a batch already in memory, in turn. Each uses all cores. Below 1,
training would wait for its images; above 20, they take less than a twentieth of its time.
"""

import argparse
import statistics
import time

import paired

CASES = (("deep_emotion", "paper"), ("deep_emotion", "input_warp"), ("dan", "fer2013"))
SHAPE, ROWS = (48, 48, 1), 28_709  # as many as FER2013 has for training
TURN_SECONDS = 0.5  # of training in a round, one step at least


def prepare(model, name):
    """Two functions that return images a second: of training, and of the input pipeline."""
    from ferkit.comparison.speed import training_step
    from ferkit.input_pipeline.batches import TrainingBatches
    from ferkit.models.registry import model_entry
    from ferkit.recipes.named import named_recipe
    from ferkit.training.targets import training_targets

    recipe = named_recipe(model, name)
    network = model_entry(model).model_class(
        image_size=SHAPE[0], channels=SHAPE[2], **recipe.model_options
    )
    step = training_step(network, recipe, recipe.batch_size)
    split = paired.random_split("train", ROWS)
    batches = TrainingBatches(split, training_targets(split, recipe), recipe, SHAPE)

    def training():
        step()  # the caches still hold what the other one used
        steps, started = 0, time.perf_counter()
        while not steps or time.perf_counter() - started < TURN_SECONDS:
            step()
            steps += 1
        return steps * recipe.batch_size / (time.perf_counter() - started)

    def pipeline():
        started = time.perf_counter()
        for _ in batches.epoch(0):
            pass
        return ROWS / (time.perf_counter() - started)

    return training, pipeline


def main():
    """Run the rounds, print medians, and save them if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="turns of each (default: 15)")
    parser.add_argument(
        "--save", action="store_true", help="write the result to benchmarks/results/"
    )
    options = parser.parse_args()
    from ferkit.tensorflow_runtime import import_tensorflow

    import_tensorflow()
    cases = {case: prepare(*case) for case in CASES}
    speeds = {case: [] for case in cases}
    for number in range(options.rounds + 1):
        for case, functions in cases.items():
            speeds[case].append([function() for function in functions])
        if number == 0:  # traces and compiles
            speeds = {case: [] for case in cases}
    title = "Input pipeline"
    about = f"{title}; {options.rounds} rounds, medians; {paired.machine()}; {paired.versions()}"
    rows = [row(case, pairs) for case, pairs in speeds.items()]
    print(about)
    for values in rows:
        print(
            "  {recipe:<24} {pipeline_to_training} times training's images/s".format(**values),
            end="  ",
        )
        print(
            "({pipeline_images_per_second_here} and {training_images_per_second_here} here)".format(
                **values
            )
        )
    if options.save:
        paired._save(title, about, rows)


def row(case, pairs):
    """One line of the table: the median of the rounds' ratios, and the median speeds."""
    training, pipeline = zip(*pairs, strict=True)
    spread = statistics.quantiles([own / other for other, own in pairs], n=4)
    return {
        "recipe": " ".join(case),
        "pipeline_to_training": f"{spread[1]:.1f} (quartiles {spread[0]:.1f} to {spread[2]:.1f})",
        "pipeline_images_per_second_here": f"{statistics.median(pipeline):.0f}",
        "training_images_per_second_here": f"{statistics.median(training):.0f}",
    }


if __name__ == "__main__":
    main()
