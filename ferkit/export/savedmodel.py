"""SavedModel: TensorFlow's own format, a folder."""

import tensorflow as tf

from ferkit.export.signature import INPUT, OUTPUT

SIGNATURE = "serving_default"
EXTRAS = "assets.extra"  # the place that the format reserves for files of its users


def write(graph, path, about, int8=False):
    """Write the folder; what is said of the model lies in ``assets.extra/``.

    Args:
        graph: an ``ExportGraph``.
        path: an empty folder.
        about: file name -> text.
        int8: not a choice here.
    """
    tf.saved_model.save(graph, str(path), signatures={SIGNATURE: graph.serve})
    extras = path / EXTRAS
    extras.mkdir()
    for name, text in about.items():
        (extras / name).write_text(text, encoding="utf-8")


def load(path):
    """A function from float32 images to float32 probabilities, both NumPy, by ``tf.saved_model``."""
    loaded = tf.saved_model.load(str(path))

    def probabilities(images):
        return loaded.signatures[SIGNATURE](**{INPUT: tf.constant(images)})[OUTPUT].numpy()

    return probabilities
