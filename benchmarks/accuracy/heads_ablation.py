"""What DAN's heads and losses add behind a backbone of which only the end is trained.

The maps inside the backbone are computed once, for all faces and their mirror images. The rest of
the backbone starts from its given weights, everything behind it from random ones, and both are
trained on the maps for a few epochs. That takes minutes where a whole training takes
hours, but most of the backbone cannot adapt: for that, use `main.py compare --ablate`.

    python benchmarks/accuracy/heads_ablation.py DATASET --weights FILE.pth --out TABLE.csv

The table has one row per contestant and seed. Figures are those of the last epoch.
"""

import argparse
import math
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from tqdm import tqdm

from dan_tf import DAN
from dan_tf.network import DANTraining
from ferkit.evaluation.metrics import measure
from ferkit.files import write_csv
from ferkit.input_pipeline.dataset import Split, load_split

CONTESTANTS = {
    "plain": {"num_heads": 0, "affinity_weight": 0.0, "partition_weight": 0.0},
    "one head": {"num_heads": 1, "affinity_weight": 0.0, "partition_weight": 0.0},
    "four heads": {"affinity_weight": 0.0, "partition_weight": 0.0},
    "four heads, partition loss": {"affinity_weight": 0.0},
    "four heads, affinity loss": {"partition_weight": 0.0},
    "four heads, both losses": {},
}
BATCH = 128


class OnFeatures(DANTraining):
    """A DAN for training from the output of a layer inside its backbone.

    Args:
        dan: the DAN.
        cut: name of the layer; the layers behind it follow each other without a branch.
    """

    def __init__(self, dan: DAN, cut: str) -> None:
        super().__init__(dan)
        layers = dan.get_layer("backbone").layers
        names = [layer.name for layer in layers]
        maps = keras.Input(layers[names.index(cut)].output.shape[1:])
        features = maps
        for layer in layers[names.index(cut) + 1 :]:
            features = layer(features)
        outputs = {"logits": dan.outputs[0], "features": self.graph.get_layer("features").output}
        if dan.num_heads:
            outputs["heads"] = dan.get_layer("fusion").output
        behind = keras.Model(self.graph.get_layer("features").input, outputs)
        for layer in layers[: names.index(cut) + 1]:
            layer.trainable = False
        self.graph = keras.Model(maps, behind(features))


def maps_of(dan: DAN, split: Split, cut: str) -> np.ndarray:
    """Maps float16 ``(2, rows, height, width, channels)``: faces and mirror images."""
    backbone = dan.get_layer("backbone")
    first_part = keras.Model(backbone.inputs, backbone.get_layer(cut).output)
    images = np.asarray(split.images[:])
    views = np.empty((2, len(images), *first_part.output.shape[1:]), np.float16)
    for start in tqdm(range(0, len(images), 256), desc=f"Maps of {split.name}"):
        batch = images[start : start + 256].astype(np.float32)
        for view, faces in enumerate((batch, batch[:, :, ::-1])):
            views[view, start : start + len(batch)] = first_part(faces, training=False)
    return views


class Batches(keras.utils.PyDataset):
    """Each face once per epoch, in random order, half of them mirrored."""

    def __init__(self, maps: np.ndarray, labels: np.ndarray, seed: int) -> None:
        super().__init__()
        self.maps, self.labels = maps, labels
        self.rng = np.random.default_rng(seed)
        self.order = self.rng.permutation(len(labels))

    def __len__(self) -> int:
        return len(self.labels) // BATCH

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.order[index * BATCH : (index + 1) * BATCH]
        views = self.rng.integers(0, 2, len(rows))
        return self.maps[views, rows].astype(np.float32), self.labels[rows]

    def on_epoch_end(self) -> None:
        """A new order."""
        self.order = self.rng.permutation(len(self.labels))


def trained(
    dan: DAN,
    cut: str,
    maps: dict[str, np.ndarray],
    splits: dict[str, Split],
    epochs: int,
    seed: int,
) -> dict[str, Any]:
    """Train one contestant with one seed; its row of the table."""
    dan.load_first_weights()
    model = OnFeatures(dan, cut)
    labels, faces, split = splits["train"].labels, maps["val"][0], splits["val"]
    steps = epochs * (len(labels) // BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=0.01), metrics=["accuracy"])
    history = model.fit(Batches(maps["train"], labels, seed), epochs=epochs, verbose=0).history
    logits = np.concatenate(
        [
            model(faces[start : start + 512].astype(np.float32))["logits"]
            for start in range(0, len(faces), 512)
        ]
    )
    figures = measure(logits, split)
    half_way = history["accuracy"][epochs // 2 - 1]
    return {
        "seed": seed,
        "accuracy": round(100 * figures["accuracy"], 2),
        "macro_f1": round(100 * figures["macro_f1"], 2),
        "training_accuracy": round(100 * history["accuracy"][-1], 2),
        "training_accuracy_half_way": round(100 * half_way, 2),
        "parameters": sum(math.prod(weight.shape) for weight in model.graph.trainable_weights),
    }


def main() -> None:
    """Compute the maps, train all contestants with all seeds, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="dataset folder of FER2013")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--weights", required=True, help="as --backbone_weights of train")
    parser.add_argument("--stem-stride", type=int, default=2)
    parser.add_argument("--cut", default="block15_bn2", help="the last layer that is not trained")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    fixed = {"backbone": options.backbone, "image_size": 48, "channels": 1}
    fixed |= {"stem_stride": options.stem_stride, "backbone_weights": options.weights}
    dan = DAN(**fixed)
    dan.load_first_weights()
    splits = {name: load_split(options.data, name) for name in ("train", "val")}
    maps = {name: maps_of(dan, split, options.cut) for name, split in splits.items()}
    rows = []
    for seed in options.seeds:
        for name, changes in CONTESTANTS.items():
            keras.utils.set_random_seed(seed)
            model = DAN(**fixed | changes)
            row = trained(model, options.cut, maps, splits, options.epochs, seed)
            rows.append({"contestant": name, **row})
            print(name, *row.values(), sep="  ", flush=True)
            write_csv(options.out, rows)


if __name__ == "__main__":
    main()
