"""AffectNet's labels as text and as names, and what each of its layouts yields for an image."""

from typing import NamedTuple

from generate_data.images.face_box import Box
from generate_data.labels import AFFECTNET, AFFECTNET_SKIPPED, expression_of

LAST = len(AFFECTNET) + len(AFFECTNET_SKIPPED) - 1


class LabelledImage(NamedTuple):
    """An image with AffectNet's label.

    Args:
        path: relative to the source folder, with forward slashes.
        split: train, val or test; "" where the source has no splits.
        label: 0 to 10.
        text: the label as it is in the source.
        box: the face in the image; None: the whole image.
    """

    path: str
    split: str
    label: int
    text: str
    box: Box | None = None


def label_of_text(text: str) -> int | None:
    """Returns the label 0 to 10 of a text such as "6" or "6.0", or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() and 0 <= value <= LAST else None


def label_of_name(name: str) -> int | None:
    """Returns the label of a class name such as "Anger" or "no_face", or None."""
    name = name.strip().lower()
    if name.replace("_", " ") in AFFECTNET_SKIPPED:
        return len(AFFECTNET) + AFFECTNET_SKIPPED.index(name.replace("_", " "))
    expression = expression_of(name)
    return None if expression is None else AFFECTNET.index(expression)
