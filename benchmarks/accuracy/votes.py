"""Counts how often FER+ votes agree with FER2013's labels, as counted and as translated.

    python benchmarks/accuracy/votes.py data

It reads the training split of a dataset. ferkit/training/targets.py defines both kinds of votes.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ferkit.input_pipeline.dataset import load_split
from ferkit.training.targets import row_targets
from ferkit.training.votes import class_votes

if __name__ == "__main__":
    split = load_split(sys.argv[1], "train")
    voted = class_votes(split).sum(axis=1) > 0
    print(f"{voted.sum():,} of {len(split):,} rows have votes for one of the classes")
    for kind in ("shares", "translated"):
        said = row_targets(split, 1.0, kind)[voted]
        labels = split.labels[voted]
        own = said[np.arange(len(labels)), labels]
        right, mean = (said.argmax(axis=1) == labels).mean(), said.mean(axis=0)
        print(
            f"{kind}: likeliest class is the label {right:.2%}; mean probability of the label "
            f"{own.mean():.3f}"
        )
        print(
            "  mean of each class:",
            ", ".join(f"{n} {m:.3f}" for n, m in zip(split.class_names, mean, strict=True)),
        )
