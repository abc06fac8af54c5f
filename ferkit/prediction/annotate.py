"""Pictures with what was found: a box around every face, its label, and a bar for each class."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont

from ferkit.recognition.recognizer import UNSURE, Expression

# One colour a class, told apart with most kinds of colour blindness (Okabe and Ito, 2008); further
# classes start over.
COLOURS = (
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (240, 228, 66),
    (0, 114, 178),
    (230, 159, 0),
    (86, 180, 233),
)
INK, PAPER = (255, 255, 255), (24, 24, 24)


def annotate(photo: np.ndarray, expressions: list[Expression]) -> np.ndarray:
    """A copy of a photo with what was found drawn on it.

    Args:
        photo: uint8 ``(height, width, 3)``, RGB.
        expressions: of ``Recognizer.predict``.

    Returns:
        uint8, the same shape. A label below 40 % is drawn with a question mark.
    """
    picture = Image.fromarray(photo)
    draw = ImageDraw.Draw(picture, "RGBA")
    unit = max(photo.shape[:2]) / 512  # lines and letters grow with the photo
    for one in sorted(expressions, key=lambda e: e.box[3] - e.box[1]):
        _draw_one(draw, one, picture.size, max(1, round(2 * unit)))
    return np.array(picture)


def colour_of(names: list[str] | tuple[str, ...], label: str) -> tuple[int, int, int]:
    """The colour of a class."""
    return COLOURS[list(names).index(label) % len(COLOURS)]


def _draw_one(draw: ImageDraw.ImageDraw, one: Expression, size: tuple[int, int], line: int) -> None:
    left, top, right, bottom = one.box
    names = list(one.probabilities)
    colour = colour_of(names, one.label)
    draw.rectangle((left, top, right, bottom), outline=colour, width=line)
    height = min(max(10, round((bottom - top) * 0.09)), 28 * line)
    font = _font(height)
    doubt = "?" if one.confidence < UNSURE else ""
    title = f"{one.label}{doubt} {one.confidence:.0%}"
    width, gap = draw.textlength(title, font=font), max(2, height // 4)
    # Above the box, or inside where there is no room.
    y = top - height - 2 * gap if top >= height + 2 * gap else top
    x = min(max(0, left), max(0, size[0] - width - 2 * gap))
    draw.rectangle((x, y, x + width + 2 * gap, y + height + 2 * gap), fill=(*colour, 255))
    dark = sum(c * w for c, w in zip(colour, (0.3, 0.59, 0.11), strict=True)) > 140
    draw.text((x + gap, y + gap), title, fill=PAPER if dark else INK, font=font)
    _draw_bars(draw, one, names, size, height)


def _draw_bars(
    draw: ImageDraw.ImageDraw,
    one: Expression,
    names: list[str],
    size: tuple[int, int],
    height: int,
) -> None:
    """Beside the box, on the side with more room."""
    left, top, right, _ = one.box
    line = max(9, round(height * 0.8))
    font = _font(line)
    words = max(draw.textlength(name, font=font) for name in names)
    gap = max(2, line // 4)
    width = words + 3 * gap + 4 * line
    x = right + gap if size[0] - right >= left else left - gap - width
    x = min(max(0, x), max(0, size[0] - width))
    tall = len(names) * (line + gap) + gap
    y = min(max(0, top), max(0, size[1] - tall))
    draw.rectangle((x, y, x + width, y + tall), fill=(*PAPER, 170))
    for row, name in enumerate(names):
        place = y + gap + row * (line + gap)
        draw.text((x + gap, place), name, fill=INK, font=font)
        start = x + words + 2 * gap
        draw.rectangle((start, place, start + 4 * line, place + line), outline=(255, 255, 255, 90))
        share = one.probabilities[name]
        if share * 4 * line >= 1:
            draw.rectangle(
                (start, place, start + share * 4 * line, place + line),
                fill=(*colour_of(names, name), 255),
            )


def _font(height: int) -> FreeTypeFont:
    return ImageFont.load_default(size=height)
