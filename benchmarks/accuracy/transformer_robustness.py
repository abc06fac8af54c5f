"""What the spatial transformer brings: accuracy on PublicTest as it is, and warped at random.

Every face is rotated, scaled and shifted at random, one to three halves as far as in
`pretrain_localization.py`. For each model: accuracy with the transformer, and with theta held at
the identity; the standard deviation of theta; its correlation with the inverse of the warp.

    python benchmarks/accuracy/transformer_robustness.py DATASET WEIGHTS [WEIGHTS ...]
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from pretrain_localization import inverse, random_warps, warped

import generate_data
from deep_emotion.transformer import IDENTITY_THETA
from ferkit.input_pipeline.dataset import load_split
from ferkit.models.saved_model import load_model
from ferkit.models.shipped_weights import model_file

STRENGTHS = (0.0, 0.5, 1.0, 1.5)


def measure(model: keras.Model, faces: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Accuracy, and theta ``(n, 6)``."""
    theta = model.get_layer("localization_theta").output
    both = keras.Model(model.inputs, {"logits": model.output, "theta": theta})
    found = both.predict(faces, batch_size=256, verbose=0)
    return float((found["logits"].argmax(1) == labels).mean()), found["theta"]


def without_transformer(model: keras.Model) -> keras.Model:
    """The same network with theta held at the identity."""
    frozen = type(model).from_config(model.get_config())
    frozen.set_weights(model.get_weights())
    bounded = any(layer.name == "localization_free" for layer in frozen.layers)
    last = frozen.get_layer("localization_free" if bounded else "localization_theta")
    bias = np.zeros(6) if bounded else np.array(IDENTITY_THETA)
    last.set_weights([np.zeros_like(last.get_weights()[0]), bias])
    return frozen


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="dataset folder of FER2013")
    parser.add_argument("weights", nargs="+", help="names of weights or .keras files")
    options = parser.parse_args()
    manifest = generate_data.read_manifest(options.data)
    split = load_split(manifest.folder, "val", manifest, 48, 1)
    images, labels = np.asarray(split.images[:]), split.labels
    print("weights, strength, accuracy, without transformer, sd of theta, correlations")
    for name in options.weights:
        model = load_model(model_file(name))
        frozen = without_transformer(model)
        for strength in STRENGTHS:
            warps = random_warps(np.random.default_rng(5), len(images), strength)
            faces = warped(images, warps)
            accuracy, theta = measure(model, faces, labels)
            held, _ = measure(frozen, faces, labels)
            row = [
                name,
                f"{strength}",
                f"{accuracy:.4f}",
                f"{held:.4f}",
                f"{theta.std(0).mean():.4f}",
            ]
            if strength:
                target = inverse(warps)
                pairs = (np.corrcoef(theta[:, n], target[:, n])[0, 1] for n in range(6))
                row.append(" ".join(f"{value:.2f}" for value in pairs))
            print(", ".join(row), flush=True)


if __name__ == "__main__":
    main()
