"""Draws predictions on photos: a box around each face, its label, and a bar for each class."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ferkit.recognition.recognizer import Expression

Color = tuple[int, int, int]

# A color for each class, distinguishable with most kinds of color blindness (Okabe and Ito, 2008).
# More than seven classes repeat them.
CLASS_COLORS: tuple[Color, ...] = (
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (240, 228, 66),
    (0, 114, 178),
    (230, 159, 0),
    (86, 180, 233),
)
WHITE, DARK = (255, 255, 255), (24, 24, 24)


def annotate(photo: np.ndarray, expressions: Sequence[Expression]) -> np.ndarray:
    """A copy of a photo with boxes, labels and bars.

    An unsure label, see ``Expression.is_unsure``, has a question mark.

    Args:
        photo: uint8 ``(height, width, 3)``, RGB.
        expressions: the results of ``Recognizer.predict``.

    Returns:
        uint8, the same shape.
    """
    picture = Image.fromarray(photo)
    draw = ImageDraw.Draw(picture, "RGBA")
    line_width = max(1, round(2 * max(photo.shape[:2]) / 512))  # proportional to the photo
    for expression in sorted(expressions, key=lambda face: face.box[3] - face.box[1]):
        _draw_face(draw, expression, picture.size, line_width)
    return np.array(picture)


def class_color(class_names: Sequence[str], label: str) -> Color:
    """The color of a class, RGB."""
    return CLASS_COLORS[list(class_names).index(label) % len(CLASS_COLORS)]


def _draw_face(
    draw: ImageDraw.ImageDraw, expression: Expression, size: tuple[int, int], line_width: int
) -> None:
    left, top, right, bottom = expression.box
    names = list(expression.probabilities)
    color = class_color(names, expression.label)
    draw.rectangle((left, top, right, bottom), outline=color, width=line_width)
    height = min(max(10, round((bottom - top) * 0.09)), 28 * line_width)
    font = _font(height)
    doubt = "?" if expression.is_unsure else ""
    title = f"{expression.label}{doubt} {expression.confidence:.0%}"
    width, gap = draw.textlength(title, font=font), max(2, height // 4)
    # Above the box, or inside if there is no room above it.
    y = top - height - 2 * gap if top >= height + 2 * gap else top
    x = min(max(0, left), max(0, size[0] - width - 2 * gap))
    draw.rectangle((x, y, x + width + 2 * gap, y + height + 2 * gap), fill=(*color, 255))
    luminance = sum(c * w for c, w in zip(color, (0.3, 0.59, 0.11), strict=True))
    draw.text((x + gap, y + gap), title, fill=DARK if luminance > 140 else WHITE, font=font)
    _draw_bars(draw, expression, names, size, height)


def _draw_bars(
    draw: ImageDraw.ImageDraw,
    expression: Expression,
    names: Sequence[str],
    size: tuple[int, int],
    text_height: int,
) -> None:
    """Draw a bar for each class next to the box, on the side with more room."""
    left, top, right, _ = expression.box
    line = max(9, round(text_height * 0.8))
    font = _font(line)
    name_width = max(draw.textlength(name, font=font) for name in names)
    gap, bar_width = max(2, line // 4), 4 * line
    width = name_width + 3 * gap + bar_width
    x = right + gap if size[0] - right >= left else left - gap - width
    x = min(max(0, x), max(0, size[0] - width))
    height = len(names) * (line + gap) + gap
    y = min(max(0, top), max(0, size[1] - height))
    draw.rectangle((x, y, x + width, y + height), fill=(*DARK, 170))
    start = x + name_width + 2 * gap
    for row, name in enumerate(names):
        row_y = y + gap + row * (line + gap)
        draw.text((x + gap, row_y), name, fill=WHITE, font=font)
        frame = (start, row_y, start + bar_width, row_y + line)
        draw.rectangle(frame, outline=(255, 255, 255, 90))
        length = expression.probabilities[name] * 4 * line
        if length >= 1:
            bar = (start, row_y, start + length, row_y + line)
            draw.rectangle(bar, fill=(*class_color(names, name), 255))


def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=height)
