"""Explanations as pictures: a face, and beside it what speaks for its label."""

import numpy as np

from ferkit.explanation.grad_cam import Explainer
from ferkit.explanation.occlusion import occlusion_maps

PANEL, GAP, TITLE = 168, 8, 20
PAPER, INK, SOFT = (255, 255, 255), (30, 30, 30), (110, 110, 110)
# From cold to hot; brightness rises throughout, so that it reads in gray as well.
HEAT = np.array(
    [[13, 8, 80], [110, 20, 130], [205, 50, 75], [250, 145, 30], [252, 250, 165]], np.float64
)


def explanation_panels(
    model, faces: np.ndarray, classes, explainer=None
) -> list[list[tuple[str, np.ndarray]]]:
    """For each face its titled panels: the face, Grad-CAM, Grad-CAM++, occlusion, and the model's
    own: heads or window.

    Args:
        model: a Keras model of ours.
        faces: uint8 ``(n, size, size, channels)`` of the model's input size.
        classes: int ``(n,)``, the class that is explained.
        explainer: an ``Explainer`` of the model; None makes one.

    Returns:
        A list for each face of (title, uint8 ``(height, width, 3)``).
    """
    explainer = explainer or Explainer(model)
    maps = {method: explainer.maps(faces, classes, method) for method in ("grad-cam", "grad-cam++")}
    covered = occlusion_maps(model, faces, classes)
    panels = []
    for number, face in enumerate(faces):
        shade = enlarged(face)
        own = [("face", shade)]
        own.append(("Grad-CAM", overlay(shade, maps["grad-cam"]["features"][number])))
        own.append(("Grad-CAM++", overlay(shade, maps["grad-cam++"]["features"][number])))
        fall = covered[number]
        own.append(
            (f"covered: up to -{fall.max():.0%}", overlay(shade, fall / max(fall.max(), 1e-9)))
        )
        for name in explainer.names[1:]:
            own.append(
                (name.replace("head", "head "), overlay(shade, maps["grad-cam"][name][number]))
            )
        panels.append(own)
    for title, pictures in _own_pictures(model, faces):
        for own, picture in zip(panels, pictures, strict=True):
            own.append((title, _to_height(picture)))
    return panels


def _own_pictures(model, faces):
    """What the model's package shows itself, where that is no map of importance.

    The transformer's window.
    """
    from ferkit.models.registry import entry_of_model

    draw = entry_of_model(model).visualizations.get("transformer")
    if draw and len(pictures := draw(model, faces)):
        yield "what the transformer samples", pictures


def enlarged(face: np.ndarray) -> np.ndarray:
    """A face as uint8 ``(PANEL, PANEL, 3)``."""
    import cv2

    large = cv2.resize(face, (PANEL, PANEL), interpolation=cv2.INTER_CUBIC)
    return np.broadcast_to(large.reshape(PANEL, PANEL, -1), (PANEL, PANEL, 3)).copy()


def overlay(shade: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A face tinted by a map in [0, 1]: the face stays gray where the map is 0.

    Args:
        shade: uint8 ``(height, width, 3)``.
        values: float ``(h, w)``.
    """
    import cv2

    height, width = shade.shape[:2]
    heat = np.clip(
        cv2.resize(values.astype(np.float64), (width, height), interpolation=cv2.INTER_LINEAR), 0, 1
    )
    colour = heat_colours(heat)
    gray = shade.mean(axis=2, keepdims=True)
    cover = 0.15 + 0.5 * heat[..., None]
    return np.clip(gray * (1 - cover) + colour * cover, 0, 255).round().astype(np.uint8)


def heat_colours(heat: np.ndarray) -> np.ndarray:
    """Values in [0, 1] as colours from cold to hot, float ``(..., 3)`` in [0, 255]."""
    place = heat * (len(HEAT) - 1)
    low = np.minimum(place.astype(int), len(HEAT) - 2)
    return HEAT[low] + (HEAT[low + 1] - HEAT[low]) * (place - low)[..., None]


def _to_height(picture):
    import cv2

    width = round(picture.shape[1] * PANEL / picture.shape[0])
    return cv2.resize(picture, (width, PANEL), interpolation=cv2.INTER_AREA)


def draw_sheet(rows: list[tuple[str, list[tuple[str, np.ndarray]]]], heading: str) -> np.ndarray:
    """A sheet of faces, a row each: words, and titled panels.

    Args:
        rows: (words, panels) of each face; one or more.
        heading: above all.

    Returns:
        uint8 ``(height, width, 3)``.
    """
    from PIL import Image, ImageDraw, ImageFont

    large, small = ImageFont.load_default(size=16), ImageFont.load_default(size=12)
    width = max(sum(panel.shape[1] + GAP for _, panel in panels) for _, panels in rows) + GAP
    row_height = 2 * TITLE + PANEL + GAP
    sheet = Image.new("RGB", (max(width, 480), 2 * TITLE + GAP + row_height * len(rows)), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), heading, fill=INK, font=large)
    for number, (words, panels) in enumerate(rows):
        top, x = 2 * TITLE + number * row_height, GAP
        draw.text((GAP, top), words, fill=INK, font=small)
        for title, panel in panels:
            draw.text((x, top + TITLE), title, fill=SOFT, font=small)
            sheet.paste(Image.fromarray(panel), (x, top + 2 * TITLE))
            x += panel.shape[1] + GAP
    return np.asarray(sheet)
