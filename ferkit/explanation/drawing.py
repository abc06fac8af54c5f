"""Draws explanations: a face and, next to it, maps of what its prediction is based on."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ferkit.explanation.occlusion import relative

Panel = tuple[str, np.ndarray]  # title, picture: uint8 (height, width, 3)

PANEL, GAP, TITLE = 168, 8, 20  # pixels
BACKGROUND, TEXT, TITLE_TEXT = (255, 255, 255), (30, 30, 30), (110, 110, 110)
# From low to high values. Brightness rises throughout, so the scale is readable in gray as well.
HEAT = np.array(
    [[13, 8, 80], [110, 20, 130], [205, 50, 75], [250, 145, 30], [252, 250, 165]], np.float64
)


def enlarged(face: np.ndarray) -> np.ndarray:
    """A face, uint8 ``(size, size, channels)``, as uint8 ``(PANEL, PANEL, 3)``."""
    large = cv2.resize(face, (PANEL, PANEL), interpolation=cv2.INTER_CUBIC)
    return np.broadcast_to(large.reshape(PANEL, PANEL, -1), (PANEL, PANEL, 3)).copy()


def overlay(picture: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A gray face that is tinted by a map; the tint is strongest where the map is 1.

    Args:
        picture: uint8 ``(height, width, 3)``.
        values: float ``(h, w)`` in [0, 1].

    Returns:
        uint8 ``(height, width, 3)``.
    """
    height, width = picture.shape[:2]
    heat = np.clip(
        cv2.resize(values.astype(np.float64), (width, height), interpolation=cv2.INTER_LINEAR), 0, 1
    )
    color = heat_colors(heat)
    gray = picture.mean(axis=2, keepdims=True)
    opacity = 0.15 + 0.5 * heat[..., None]
    return np.clip(gray * (1 - opacity) + color * opacity, 0, 255).round().astype(np.uint8)


def occlusion_panel(picture: np.ndarray, fall: np.ndarray) -> Panel:
    """The panel of an occlusion map.

    Args:
        picture: uint8 ``(height, width, 3)``.
        fall: float ``(h, w)``, a fall of probability, as ``occlusion_maps`` returns it.
    """
    return f"occlusion: up to -{fall.max():.0%}", overlay(picture, relative(fall))


def heat_colors(heat: np.ndarray) -> np.ndarray:
    """Colors of values in [0, 1] on the scale ``HEAT``, float ``(..., 3)`` in [0, 255]."""
    position = heat * (len(HEAT) - 1)
    low = np.minimum(position.astype(int), len(HEAT) - 2)
    return HEAT[low] + (HEAT[low + 1] - HEAT[low]) * (position - low)[..., None]


def draw_sheet(rows: Sequence[tuple[str, Sequence[Panel]]], heading: str) -> np.ndarray:
    """A sheet of faces: a row for each, with its caption and its titled panels.

    Args:
        rows: (caption, panels) of each face; at least one.
        heading: text at the top.

    Returns:
        uint8 ``(height, width, 3)``.
    """
    large, small = ImageFont.load_default(size=16), ImageFont.load_default(size=12)
    width = max(sum(panel.shape[1] + GAP for _, panel in panels) for _, panels in rows) + GAP
    row_height = 2 * TITLE + PANEL + GAP
    size = max(width, 480), 3 * TITLE + 2 * GAP + row_height * len(rows)
    sheet = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), heading, fill=TEXT, font=large)
    _draw_color_scale(sheet, draw, size[1] - TITLE - GAP, small)
    for row, (caption, panels) in enumerate(rows):
        top, x = 2 * TITLE + row * row_height, GAP
        draw.text((GAP, top), caption, fill=TEXT, font=small)
        for title, panel in panels:
            draw.text((x, top + TITLE), title, fill=TITLE_TEXT, font=small)
            sheet.paste(Image.fromarray(panel), (x, top + 2 * TITLE))
            x += panel.shape[1] + GAP
    return np.asarray(sheet)


def _draw_color_scale(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    top: int,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
) -> None:
    """Draw what the colors of all maps mean, in a line at the bottom of the sheet."""
    values = np.broadcast_to(np.linspace(0, 1, PANEL // 2), (TITLE - GAP, PANEL // 2))
    sheet.paste(Image.fromarray(heat_colors(values).round().astype(np.uint8)), (GAP, top + 2))
    text = "importance for the class: none to the most in this map"
    draw.text((2 * GAP + PANEL // 2, top), text, fill=TITLE_TEXT, font=font)
