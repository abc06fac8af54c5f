"""The labels and the model card that are stored in an exported file."""

import json
from pathlib import Path

import keras

from ferkit.export.formats import Format
from ferkit.export.signature import INPUT, OUTPUT
from ferkit.hub.card_metadata import without_metadata
from ferkit.models.trained_on import TRAINED_ON, read_trained_on
from ferkit.provenance import provenance
from ferkit.recognition.compiled_file import ABOUT, CARD, LABELS

NO_CARD = "The weights have no model card; `python main.py release` writes one, with their figures."


def export_metadata(model: keras.Model, checkpoint: Path, export_format: Format) -> dict[str, str]:
    """File name -> text of "labels.txt", "model_card.md", "model.json" and "trained_on.json".

    labels.txt has one class name per line, in output order. model.json has the number of parameters
    and, in a .tflite file, a checksum. trained_on.json is the record of the training data.

    Args:
        model: the Keras model.
        checkpoint: the .keras file that it was loaded from; a model card next to it is included.
        export_format: the format.
    """
    shape = ", ".join(map(str, ("batch", *model.input_shape[1:])))
    made_with = provenance()
    weights = "large kernels in 8 bits, all else float32" if export_format.int8 else "float32"
    card = checkpoint.with_suffix(".md")
    classes = f"{len(model.class_names)}): {', '.join(model.class_names)}"
    lines = [
        f"# {checkpoint.stem}, exported as {export_format.name}",
        "",
        f"- Input `{INPUT}`: float32 ({shape}), any batch size; pixels 0 to 255, "
        f"{_channel_names(model)}.",
        f"- Output `{OUTPUT}`: float32 (batch, {classes}.",
        f"- Weights: {weights}. Made by: {made_with['command']}",
        f"- With: commit {made_with['commit']}, {json.dumps(made_with['packages'])}",
        "",
        "What follows is the card of the weights, with the figures of the Keras file."
        if card.is_file()
        else NO_CARD,
        "",
    ]
    text = without_metadata(card.read_text(encoding="utf-8")) if card.is_file() else ""
    about = {"name": checkpoint.stem, "parameters": model.count_params()}
    return {
        LABELS: "\n".join(model.class_names) + "\n",
        CARD: "\n".join(lines) + "\n" + text,
        ABOUT: json.dumps(about),
        TRAINED_ON: read_trained_on(checkpoint).to_text(),
    }


def _channel_names(model: keras.Model) -> str:
    return "gray" if model.input_shape[-1] == 1 else "red, green, blue"
