"""Pictures of what a model looks at, side by side: for a report and for TensorBoard."""

import keras
import numpy as np

from ferkit.models.registry import entry_of_model

SMALLEST = 96  # a face is enlarged to at least so many pixels


def model_pictures(model: keras.Model, faces: np.ndarray) -> dict[str, np.ndarray]:
    """What the VISUALIZATIONS of the model's package show of some faces: name -> uint8 ``(H, W,
    3)``; names without a picture left out.

    Args:
        model: a Keras model.
        faces: uint8 ``(n, height, width, channels)`` of the model's input size.
    """
    entry = entry_of_model(model)
    if not entry or not len(faces):
        return {}
    made = {name: draw(model, faces) for name, draw in entry.visualizations.items()}
    return {
        name: picture_grid(pictures, columns=2) for name, pictures in made.items() if len(pictures)
    }


def picture_grid(pictures: np.ndarray, columns: int = 4) -> np.ndarray:
    """Pictures in rows, small ones enlarged, with white between them.

    Args:
        pictures: ``(n, height, width, channels)``, one channel or three, in [0, 255]; one or more.
        columns: at most so many side by side.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    pictures = np.clip(np.rint(np.asarray(pictures, np.float32)), 0, 255).astype(np.uint8)
    pictures = np.broadcast_to(pictures, (*pictures.shape[:3], 3))
    scale, gap = max(1, -(-SMALLEST // pictures.shape[1])), 6
    pictures = pictures.repeat(scale, axis=1).repeat(scale, axis=2)
    count, height, width, _ = pictures.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    grid = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for k, picture in enumerate(pictures):
        top, left = k // columns * (height + gap), k % columns * (width + gap)
        grid[top : top + height, left : left + width] = picture
    return grid
