"""Trains the localization network of a Deep-Emotion to undo random warps, without any label.

Faces of FER2013 are roughly aligned. Each is rotated, scaled and shifted at random, and theta is
trained to be the inverse of the warp. The rest of the weights is that of another model, which gets
a transformer that moves; `train --init_from OUT` then trains the whole network.

    python benchmarks/accuracy/pretrain_localization.py DATASET --weights WEIGHTS --out OUT.keras

It prints, for Training and PublicTest, the correlation of each number of theta with its target.
OUT.json describes how the weights were made, for the card of a release.
"""

import argparse
import math
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import keras
import numpy as np
from described import save_described

import generate_data
from deep_emotion import DeepEmotion
from deep_emotion.transformer import IDENTITY_THETA
from ferkit.input_pipeline.dataset import load_split
from ferkit.input_pipeline.fingerprint import fingerprint_of
from ferkit.input_pipeline.training_record import training_record
from ferkit.models.saved_model import load_model
from ferkit.models.shipped_weights import model_file
from ferkit.recipes.recipe import Recipe
from ferkit.release.release import trainings_of

ROTATION, SCALE, SHIFT = 15.0, 0.15, 0.12  # degrees; parts of the size


def random_warps(rng: np.random.Generator, count: int, strength: float = 1.0) -> np.ndarray:
    """Random maps from output to input positions in [-1, 1], float ``(count, 2, 3)``."""
    angle = strength * np.radians(rng.uniform(-ROTATION, ROTATION, count))
    scale = 1 + strength * rng.uniform(-SCALE, SCALE, count)
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    shift = strength * rng.uniform(-2 * SHIFT, 2 * SHIFT, (2, count))  # the face is two wide
    rows = [cosine, -sine, shift[0], sine, cosine, shift[1]]
    return np.stack(rows, axis=1).reshape(count, 2, 3)


def warped(images: np.ndarray, warps: np.ndarray) -> np.ndarray:
    """Faces sampled at the warped positions; the edge is repeated outside."""
    size = images.shape[1]
    half = (size - 1) / 2
    to_unit = np.array([[1 / half, 0, -1], [0, 1 / half, -1], [0, 0, 1]])
    to_pixels = np.array([[half, 0, half], [0, half, half]])
    out = np.empty(images.shape, np.float32)
    for row, (image, warp) in enumerate(zip(images, warps, strict=True)):
        matrix = to_pixels @ np.vstack([warp, [0, 0, 1]]) @ to_unit
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(
            image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        out[row] = moved.reshape(image.shape)
    return out


def inverse(warps: np.ndarray) -> np.ndarray:
    """The thetas that undo warps, float32 ``(count, 6)``."""
    linear = np.linalg.inv(warps[:, :, :2])
    shift = -(linear @ warps[:, :, 2:])
    return np.concatenate([linear, shift], axis=2).reshape(-1, 6).astype(np.float32)


class Batches(keras.utils.PyDataset):
    """Batches of warped, randomly mirrored faces and the thetas that undo the warps."""

    def __init__(self, images: np.ndarray, seed: int, batch: int = 128) -> None:
        super().__init__()
        self.images, self.batch, self.rng = images, batch, np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.images) // self.batch

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.rng.choice(len(self.images), self.batch, replace=False)
        warps = random_warps(self.rng, self.batch)
        faces = self.images[rows]
        mirrored = self.rng.random(self.batch) < 0.5
        faces = np.where(mirrored[:, None, None, None], faces[:, :, ::-1], faces)
        return warped(faces, warps), inverse(warps)


def correlations(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Correlation of each number of theta with the one that undoes a random warp."""
    warps = random_warps(np.random.default_rng(9), len(images))
    theta = model.predict(warped(images, warps), batch_size=256, verbose=0)
    targets = inverse(warps)
    return np.array([np.corrcoef(theta[:, n], targets[:, n])[0, 1] for n in range(6)])


def main() -> None:
    """Train the localization network, measure it, and write the model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="dataset folder of FER2013")
    parser.add_argument("--weights", default="deep_emotion-fer2013")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--theta-step", type=float, default=1.0)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    manifest = generate_data.read_manifest(options.data)
    splits = {name: load_split(manifest.folder, name, manifest, 48, 1) for name in ("train", "val")}
    images = {name: np.asarray(split.images[:]) for name, split in splits.items()}
    trained = load_model(model_file(options.weights))
    model = DeepEmotion.from_config({**trained.get_config(), "theta_step": options.theta_step})
    for layer in model.layers:
        if layer.weights and not layer.name.startswith("localization"):
            layer.set_weights(trained.get_layer(layer.name).get_weights())
    theta = keras.Model(model.inputs, model.get_layer("localization_theta").output)
    steps = options.epochs * (len(images["train"]) // 128)
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, math.ceil(steps))
    theta.compile(keras.optimizers.Adam(schedule), "mse")
    theta.fit(Batches(images["train"], options.seed), epochs=options.epochs, verbose=2)
    for name, faces in images.items():
        print(name, "correlations:", np.round(correlations(theta, faces[:3589]), 3))
        spread = theta.predict(faces[:3589].astype("float32"), batch_size=256, verbose=0)
        offset = np.round(spread.mean(0) - IDENTITY_THETA, 3)
        print(name, "standard deviation as it is:", np.round(spread.std(0), 3), "offset", offset)
    recipe = Recipe(init_from=options.weights)
    record = training_record(splits["train"], recipe, fingerprint_of(manifest)["rows_sha256"])
    command = (
        f"python benchmarks/accuracy/pretrain_localization.py data --weights {options.weights}"
    )
    before = trainings_of(model_file(options.weights), trained)
    save_described(model, options.out, record, command, before)


if __name__ == "__main__":
    main()
