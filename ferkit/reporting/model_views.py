"""Pictures of what a model looks at, in a grid, for reports and TensorBoard."""

import keras
import numpy as np

from ferkit.models.registry import entry_of_model

MIN_HEIGHT = 96  # in pixels; smaller pictures are enlarged


def model_pictures(model: keras.Model, faces: np.ndarray) -> dict[str, np.ndarray]:
    """The VISUALIZATIONS of the model's package for some faces.

    Args:
        model: a Keras model.
        faces: uint8 ``(n, height, width, channels)`` of the model's input size.

    Returns:
        Name -> uint8 ``(H, W, 3)``, without those that have nothing to show for this model.
    """
    entry = entry_of_model(model)
    if not entry or not len(faces):
        return {}
    drawn = {name: draw(model, faces) for name, draw in entry.visualizations.items()}
    return {
        name: picture_grid(pictures, columns=2) for name, pictures in drawn.items() if len(pictures)
    }


def picture_grid(pictures: np.ndarray, columns: int = 4) -> np.ndarray:
    """Pictures in rows, separated by white; small ones are enlarged.

    Args:
        pictures: ``(n, height, width, channels)`` in [0, 255]; n >= 1, one channel or three.
        columns: maximum number of pictures per row.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    pictures = np.clip(np.rint(np.asarray(pictures, np.float32)), 0, 255).astype(np.uint8)
    pictures = np.broadcast_to(pictures, (*pictures.shape[:3], 3))
    scale, gap = max(1, -(-MIN_HEIGHT // pictures.shape[1])), 6
    pictures = pictures.repeat(scale, axis=1).repeat(scale, axis=2)
    count, height, width, _ = pictures.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    grid = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for k, picture in enumerate(pictures):
        top, left = k // columns * (height + gap), k % columns * (width + gap)
        grid[top : top + height, left : left + width] = picture
    return grid
