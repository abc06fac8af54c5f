"""The spatial transformer's effect on a face, as numbers and as a picture."""

import keras
import numpy as np
from keras import ops

from .transformer import IDENTITY_THETA

PANEL = 192  # size of a face or map in the picture, in pixels
WINDOW, TOP_EDGE, SHADOW = (255, 214, 10), (235, 45, 60), (20, 20, 20)
BLACK, GRAY, WHITE = 0, 128, 255
UNCHANGED = 0.01  # a theta this close to the identity moves no pixel of 48 by a whole one
CORNERS = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])


def transformer_theta(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """The affine transforms that a ``DeepEmotion`` predicts for faces.

    Args:
        model: a ``DeepEmotion``.
        images: ``(n, height, width, channels)`` of the model's input size, in [0, 255].

    Returns:
        float32 ``(n, 2, 3)``: maps an output position (x, y, 1) to the input position it is
        sampled from. Coordinates run from -1 to 1 between the centers of the corner pixels (see
        ``transformer``).
    """
    return _outputs(model, images)["theta"].reshape(-1, 2, 3)


def transformer_pictures(
    model: keras.Model, images: np.ndarray, skip_unchanged: bool = False
) -> np.ndarray:
    """The face with the transformer's sampling window, next to the transformer's output.

    The window is the quadrilateral that theta maps the output's corners to; its content fills the
    output. The edge that becomes the top of the output is red, the others are yellow. The margin of
    an input shows what the transformer reads outside of it: gray around a face, black around a
    feature map. The margin of an output is white.

    For ``variant="input_warp"`` and "residual": the face with its window, and the warped face. For
    "paper", which warps the feature map: the face with the window, positioned by the centers of the
    receptive fields; the map before the warp, with the same window; the map after it. A map is
    shown as its mean over channels, both maps on one gray scale.

    Args:
        model: a ``DeepEmotion``.
        images: uint8 ``(n, height, width, channels)`` of the model's input size.
        skip_unchanged: no pictures if the transformer samples all of these faces unchanged.

    Returns:
        uint8 ``(n, H, W, 3)``, one picture per face, or ``(0, H, W, 3)``.
    """
    found = _outputs(model, images)
    change = np.abs(found["theta"] - IDENTITY_THETA).max(initial=0.0)
    if not len(images) or (skip_unchanged and change < UNCHANGED):
        return np.zeros((0, PANEL, PANEL, 3), np.uint8)
    windows = [
        CORNERS @ matrix[:, :2].T + matrix[:, 2] for matrix in found["theta"].reshape(-1, 2, 3)
    ]
    make = _feature_picture if model.variant == "paper" else _face_picture
    pictures = [
        make(*parts) for parts in zip(images, found["before"], found["after"], windows, strict=True)
    ]
    return np.stack(pictures)


VISUALIZATIONS = {"transformer": transformer_pictures}


def _outputs(model: keras.Model, images: np.ndarray) -> dict[str, np.ndarray]:
    """Theta, and the input and output of the transformer.

    Returns:
        "theta" ``(n, 6)``; "before" and "after", ``(n, height, width, channels)``; float32.
    """
    transformer = model.get_layer("transformer")
    theta = model.get_layer("localization_theta").output
    inner = keras.Model(
        model.inputs, {"before": transformer.input[0], "after": transformer.output, "theta": theta}
    )
    found = inner(ops.convert_to_tensor(np.asarray(images, "float32")), training=False)
    return {
        name: ops.convert_to_numpy(ops.cast(output, "float32")) for name, output in found.items()
    }


def _face_picture(
    image: np.ndarray, before: np.ndarray, after: np.ndarray, window: np.ndarray
) -> np.ndarray:
    # The model scales pixels from 0..255 to -1..1.
    warped = np.clip(np.rint((after + 1.0) * 127.5), 0, 255).astype(np.uint8)
    return _beside(_panel(image, GRAY, window), _panel(warped, WHITE))


def _feature_picture(
    image: np.ndarray, before: np.ndarray, after: np.ndarray, window: np.ndarray
) -> np.ndarray:
    means = [values.mean(axis=-1, keepdims=True) for values in (before, after)]
    most = max(float(mean.max()) for mean in means) or 1.0
    maps = [np.rint(mean / most * 255).astype(np.uint8) for mean in means]
    # Center of the receptive field of the map's first cell, in pixels. That of the next cell is 4
    # pixels further, because of two poolings by 2.
    first = 7.5
    last = first + 4 * (before.shape[0] - 1)
    rest = image.shape[0] - 1 - last
    return _beside(
        _panel(image, GRAY, window, (first, rest)),
        _panel(maps[0], BLACK, window),
        _panel(maps[1], WHITE),
    )


def _panel(
    image: np.ndarray,
    margin_value: int,
    window: np.ndarray | None = None,
    inset: tuple[float, float] = (0, 0),
) -> np.ndarray:
    """An enlarged image with a margin and its window.

    Args:
        image: uint8 ``(size, size, channels)``.
        margin_value: gray value of the margin.
        window: corners ``(4, 2)`` in [-1, 1], or None.
        inset: pixels before coordinate -1, and after coordinate 1.
    """
    scale = -(-PANEL // image.shape[0])
    enlarged = np.repeat(np.repeat(image, scale, axis=0), scale, axis=1)
    if enlarged.shape[0] > PANEL:
        rows = ((np.arange(PANEL) + 0.5) * enlarged.shape[0] / PANEL).astype(int)
        enlarged = enlarged[rows][:, rows]
    margin = PANEL // 6
    canvas = np.full((PANEL + 2 * margin, PANEL + 2 * margin, 3), margin_value, np.float32)
    canvas[margin:-margin, margin:-margin] = enlarged
    if window is not None:
        size, (start, end) = image.shape[0], inset
        pixels = start + (window + 1) / 2 * (size - 1 - start - end)
        _draw_window(canvas, (pixels + 0.5) * PANEL / size - 0.5 + margin)
    return np.rint(canvas).astype(np.uint8)


def _draw_window(canvas: np.ndarray, corners: np.ndarray) -> None:
    # The top edge is drawn last, over the others.
    edges = [(corners[k], corners[(k + 1) % 4]) for k in (1, 2, 3, 0)]
    for start, end in edges:
        _draw_line(canvas, start, end, SHADOW, 2.6)
    for k, (start, end) in enumerate(edges):
        _draw_line(canvas, start, end, TOP_EDGE if k == 3 else WINDOW, 1.5)


def _draw_line(
    canvas: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    color: tuple[int, int, int],
    radius: float,
) -> None:
    """Draw a line with soft edges from (x, y) to (x, y), in place."""
    limits = np.array(canvas.shape[1::-1])
    low = np.clip(np.floor(np.minimum(start, end) - radius - 1), 0, limits).astype(int)
    high = np.clip(np.ceil(np.maximum(start, end) + radius + 2), low, limits).astype(int)
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]]
    direction = end - start
    along = np.clip(
        ((x - start[0]) * direction[0] + (y - start[1]) * direction[1])
        / max(float(direction @ direction), 1e-9),
        0.0,
        1.0,
    )
    distance = np.hypot(x - start[0] - along * direction[0], y - start[1] - along * direction[1])
    opacity = np.clip(radius + 0.5 - distance, 0.0, 1.0)[..., None]
    part = canvas[low[1] : high[1], low[0] : high[0]]
    part[:] = part * (1 - opacity) + np.array(color, np.float32) * opacity


def _beside(*panels: np.ndarray) -> np.ndarray:
    gap = np.full((panels[0].shape[0], 8, 3), 255, np.uint8)
    parts = [part for panel in panels for part in (gap, panel)][1:]
    return np.concatenate(parts, axis=1)
