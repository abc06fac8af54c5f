"""The files of a preset. A .keras file is a zip archive of the first four.

``config.json``, ``metadata.json`` and ``model.weights.h5`` are those of keras-hub and of Keras'
own folders, so ``keras.saving.load_model(FOLDER)`` reads a preset too.
"""

import hashlib
from pathlib import Path

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
TRAINED_ON = "trained_on.json"  # the record of the training data
ARCHIVED = (CONFIG, METADATA, WEIGHTS, TRAINED_ON)
REQUIRED = (CONFIG, WEIGHTS)
FIGURES = "release.json"  # what a release measured: temperature, thresholds, accuracy
WEIGHTS_SHA256 = "weights_sha256"  # its key for the WEIGHTS that it was measured with
CARD = "README.md"
PATTERNS = ("*.json", WEIGHTS, CARD, "*.tflite")  # what a download needs


def is_preset(folder: Path) -> bool:
    """Whether a folder has the files that every preset has."""
    return all((folder / name).is_file() for name in REQUIRED)


def sha256(file: Path) -> str:
    """The checksum of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
