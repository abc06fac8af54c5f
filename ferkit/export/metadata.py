"""What an exported file says of itself: its labels, and a card."""

import json
from pathlib import Path

from ferkit.export.signature import INPUT, OUTPUT
from ferkit.provenance import provenance

LABELS, CARD = "labels.txt", "model_card.md"
NO_CARD = "The weights have no model card; `python main.py release` writes one, with their figures."


def about_export(model, checkpoint: Path, wanted) -> dict[str, str]:
    """File name -> text: "labels.txt", a name a line in the order of the output, and
    "model_card.md".

    Args:
        model: the Keras model.
        checkpoint: the file it was loaded from; a model card beside it is taken over.
        wanted: a ``formats.Format``.
    """
    shape = ", ".join(map(str, ("batch", *model.input_shape[1:])))
    made = provenance()
    weights = "large kernels in 8 bits, all else float32" if wanted.int8 else "float32"
    card = checkpoint.with_suffix(".md")
    lines = [
        f"# {checkpoint.stem}, exported as {wanted.name}",
        "",
        f"- Input `{INPUT}`: float32 ({shape}), any batch size; pixels 0 to 255, {_colours(model)}.",
        f"- Output `{OUTPUT}`: float32 (batch, {len(model.class_names)}): {', '.join(model.class_names)}.",
        f"- Weights: {weights}. Made by: {made['command']}",
        f"- With: commit {made['commit']}, {json.dumps(made['packages'])}",
        "",
        "What follows is the card of the weights, with the figures of the Keras file."
        if card.is_file()
        else NO_CARD,
        "",
    ]
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    return {LABELS: "\n".join(model.class_names) + "\n", CARD: "\n".join(lines) + "\n" + text}


def _colours(model):
    return "gray" if model.input_shape[-1] == 1 else "red, green, blue"
