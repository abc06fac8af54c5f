"""SavedModel: TensorFlow's own format, a folder."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from ferkit.export.agreement import Probabilities
from ferkit.export.signature import INPUT, OUTPUT, ExportGraph

SIGNATURE = "serving_default"
EXTRAS = "assets.extra"  # the folder that the format reserves for files of its users


def write(graph: ExportGraph, path: Path, texts: Mapping[str, str], int8: bool = False) -> None:
    """Write the folder.

    Args:
        graph: the model.
        path: an empty folder.
        texts: file name -> text, stored in ``assets.extra/``.
        int8: ignored; this format has float32 kernels only.
    """
    tf.saved_model.save(graph, str(path), signatures={SIGNATURE: graph.serve})
    extras = path / EXTRAS
    extras.mkdir()
    for name, text in texts.items():
        (extras / name).write_text(text, encoding="utf-8")


def load(path: Path) -> Probabilities:
    """The folder as a function that runs in ``tf.saved_model``."""
    loaded = tf.saved_model.load(str(path))

    def probabilities(images: np.ndarray) -> np.ndarray:
        return loaded.signatures[SIGNATURE](**{INPUT: tf.constant(images)})[OUTPUT].numpy()

    return probabilities
