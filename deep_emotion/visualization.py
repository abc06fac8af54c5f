"""What the spatial transformer does with a face, in numbers and as a picture."""

import keras
import numpy as np
from keras import ops

PANEL = 192  # a face is enlarged to at least so many pixels
WINDOW, TOP_EDGE, SHADOW = (255, 214, 10), (235, 45, 60), (20, 20, 20)
BLACK, GRAY, WHITE = 0, 128, 255
CORNERS = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])


def transformer_theta(model, images) -> np.ndarray:
    """The affine transforms that a ``DeepEmotion`` finds for faces.

    Args:
        model: a ``DeepEmotion``.
        images: ``(n, height, width, channels)`` of the model's input size, in [0, 255].

    Returns:
        float32 ``(n, 2, 3)``: maps an output position (x, y, 1) to the input position it is sampled from; coordinates run from -1
        to 1 between the centres of the corner pixels (see ``transformer``).
    """
    return _outputs(model, images)["theta"].reshape(-1, 2, 3)


def transformer_pictures(model, images) -> np.ndarray:
    """The face with the transformer's sampling window, beside what the transformer makes of it.

    The window is the quadrilateral that theta maps the output's corners to: what lies within fills the output. Its edge that
    becomes the output's top is red, the others yellow. Around an input is what the transformer reads outside of it: gray around a
    face, black around a feature map. Around an output is white.

    For ``variant="input_warp"``: the face with its window, and the warped face. For "paper", which warps the feature map: the
    face with the window, placed by the centres of what the map's cells see; the map before, with the same window; the map after.
    A map is shown by its mean over channels, both on one gray scale.

    Args:
        model: a ``DeepEmotion``.
        images: uint8 ``(n, height, width, channels)`` of the model's input size.

    Returns:
        uint8 ``(n, H, W, 3)``, one picture a face.
    """
    found = _outputs(model, images)
    windows = [
        CORNERS @ matrix[:, :2].T + matrix[:, 2] for matrix in found["theta"].reshape(-1, 2, 3)
    ]
    make = _feature_picture if model.variant == "paper" else _face_picture
    pictures = [
        make(*parts) for parts in zip(images, found["before"], found["after"], windows, strict=True)
    ]
    return np.stack(pictures) if pictures else np.zeros((0, PANEL, PANEL, 3), np.uint8)


VISUALIZATIONS = {"transformer": transformer_pictures}


def _outputs(model, images):
    """Theta ``(n, 6)``, and what the transformer gets and gives, ``(n, height, width, channels)``, by name."""
    transformer, theta = (
        model.get_layer("transformer"),
        model.get_layer("localization_theta").output,
    )
    inner = keras.Model(
        model.inputs, {"before": transformer.input[0], "after": transformer.output, "theta": theta}
    )
    found = inner(ops.convert_to_tensor(np.asarray(images, "float32")), training=False)
    return {
        name: ops.convert_to_numpy(ops.cast(output, "float32")) for name, output in found.items()
    }


def _face_picture(image, before, after, window):
    warped = np.clip(np.rint((after + 1.0) * 127.5), 0, 255).astype(
        np.uint8
    )  # the model scaled 0..255 to -1..1
    return _beside(_panel(image, GRAY, window), _panel(warped, WHITE))


def _feature_picture(image, before, after, window):
    means = [values.mean(axis=-1, keepdims=True) for values in (before, after)]
    most = max(float(mean.max()) for mean in means) or 1.0
    maps = [np.rint(mean / most * 255).astype(np.uint8) for mean in means]
    first = 7.5  # the centre of what the map's first cell sees, in pixels; the next cell's lies 4 further: two poolings by 2
    last = first + 4 * (before.shape[0] - 1)
    rest = image.shape[0] - 1 - last
    return _beside(
        _panel(image, GRAY, window, (first, rest)),
        _panel(maps[0], BLACK, window),
        _panel(maps[1], WHITE),
    )


def _panel(image, around, window=None, inset=(0, 0)):
    """An image enlarged, in a margin, with its window; `inset`: pixels before the corner at -1 and behind that at 1."""
    scale = -(-PANEL // image.shape[0])
    enlarged = np.repeat(np.repeat(image, scale, axis=0), scale, axis=1)
    if enlarged.shape[0] > PANEL:
        take = (np.arange(PANEL) + 0.5) * enlarged.shape[0] / PANEL
        enlarged = enlarged[take.astype(int)][:, take.astype(int)]
    margin = PANEL // 6
    canvas = np.full((PANEL + 2 * margin, PANEL + 2 * margin, 3), around, np.float32)
    canvas[margin:-margin, margin:-margin] = enlarged
    if window is not None:
        size, (start, end) = image.shape[0], inset
        pixels = start + (window + 1) / 2 * (size - 1 - start - end)
        _draw_window(canvas, (pixels + 0.5) * PANEL / size - 0.5 + margin)
    return np.rint(canvas).astype(np.uint8)


def _draw_window(canvas, corners):
    edges = [
        (corners[k], corners[(k + 1) % 4]) for k in (1, 2, 3, 0)
    ]  # the top edge last, above the others
    for start, end in edges:
        _draw_line(canvas, start, end, SHADOW, 2.6)
    for k, (start, end) in enumerate(edges):
        _draw_line(canvas, start, end, TOP_EDGE if k == 3 else WINDOW, 1.5)


def _draw_line(canvas, start, end, color, radius):
    """A line with soft edges, from (x, y) to (x, y), in place."""
    limits = np.array(canvas.shape[1::-1])
    low = np.clip(np.floor(np.minimum(start, end) - radius - 1), 0, limits).astype(int)
    high = np.clip(np.ceil(np.maximum(start, end) + radius + 2), low, limits).astype(int)
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]]
    way = end - start
    along = np.clip(
        ((x - start[0]) * way[0] + (y - start[1]) * way[1]) / max(float(way @ way), 1e-9), 0.0, 1.0
    )
    distance = np.hypot(x - start[0] - along * way[0], y - start[1] - along * way[1])
    cover = np.clip(radius + 0.5 - distance, 0.0, 1.0)[..., None]
    part = canvas[low[1] : high[1], low[0] : high[0]]
    part[:] = part * (1 - cover) + np.array(color, np.float32) * cover


def _beside(*panels):
    gap = np.full((panels[0].shape[0], 8, 3), 255, np.uint8)
    parts = [part for panel in panels for part in (gap, panel)][1:]
    return np.concatenate(parts, axis=1)
