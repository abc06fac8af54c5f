"""Averages the weights of models that were trained from the same initial weights.

Trainings that continue the same weights with other seeds, augmentation or teachers end near each
other, and the mean of their weights is often better than each (Wortsman et al., arXiv 2203.05482).

    python benchmarks/accuracy/average_weights.py FILE.keras ... --out OUT.keras [--data DATASET]

Batch normalization keeps the mean of the moving averages. With --data, also for a single file, its
statistics are estimated anew on the training images without augmentation. OUT.json describes how
the weights were made, for the card of a release.
"""

import argparse
import os
from functools import reduce
from itertools import chain
from operator import or_
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from described import save_described

import generate_data
from ferkit.input_pipeline.dataset import load_split
from ferkit.models.saved_model import load_model
from ferkit.models.trained_on import read_trained_on
from ferkit.release.release import trainings_of
from ferkit.training.weight_averaging import estimate_normalization


def main() -> None:
    """Write the model with the averaged weights, and what all of them were trained on."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.keras")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", help="dataset folder, to estimate the normalization anew")
    parser.add_argument(
        "--normalization_weight",
        type=float,
        default=1.0,
        help="weight of the new statistics; the rest keeps the old ones (default: 1)",
    )
    options = parser.parse_args()
    if not 0.0 <= options.normalization_weight <= 1.0:
        given = options.normalization_weight
        parser.error(f"--normalization_weight must be from 0 to 1. Received: {given}")
    models = [load_model(file) for file in options.files]
    trainings = [trainings_of(*pair) for pair in zip(options.files, models, strict=True)]
    averaged = models[0]
    weights = zip(*(model.get_weights() for model in models), strict=True)
    averaged.set_weights([np.mean(each, axis=0) for each in weights])
    record = reduce(or_, map(read_trained_on, options.files))
    names = " ".join(map(str, options.files))
    command = f"python benchmarks/accuracy/average_weights.py {names} --out {options.out}"
    if options.data:
        manifest = generate_data.read_manifest(options.data)
        _, *shape = averaged.input_shape
        train = load_split(manifest.folder, "train", manifest, shape[0], shape[-1])
        weight = options.normalization_weight
        estimate_normalization(averaged, np.asarray(train.images[:]), weight)
        command += f" --data {options.data} --normalization_weight {weight:g}"
    before: list = []  # each step once: the files have their first steps in common
    for step in chain.from_iterable(trainings):
        if step not in before:
            before.append(step)
    save_described(averaged, options.out, record, command, before)


if __name__ == "__main__":
    main()
