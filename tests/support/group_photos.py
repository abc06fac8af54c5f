"""Large photos with many small faces, made from the one face of the demo."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import ferkit.demo

ASTRONAUT = Path(ferkit.demo.__file__).with_name("astronaut.jpg")
FACE_WIDTH, FACE_HEIGHT = 90, 114  # of the face in the astronaut photo, as the detector sees it


def astronaut():
    """The photo, uint8 RGB (512, 512, 3)."""
    return np.asarray(Image.open(ASTRONAUT))


def group_photo(face_width, rows, columns, size=(3000, 4000), seed=0):
    """A smooth background with faces of that width in a grid, alternately mirrored.

    Returns the photo, and the centers of the faces (x, y).
    """
    generator = np.random.default_rng(seed)
    height, width = size
    coarse = generator.integers(60, 200, (height // 100, width // 100, 3)).astype(np.float32)
    photo = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    photo = photo.clip(0, 255).astype(np.uint8)
    scale = face_width / FACE_WIDTH
    head = cv2.resize(
        astronaut()[30:210, 140:310], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    centers = []
    for row in range(rows):
        for column in range(columns):
            top = round((row + 0.5) * height / rows - head.shape[0] / 2)
            left = round((column + 0.5) * width / columns - head.shape[1] / 2)
            turned = head if (row + column) % 2 else head[:, ::-1]
            photo[top : top + head.shape[0], left : left + head.shape[1]] = turned
            center = (223 - 140) if (row + column) % 2 else (310 - 223)
            centers.append((left + center * scale, top + (119 - 30) * scale))
    return photo, np.array(centers)


def missed_and_false(faces, centers, face_width):
    """How many centers have no face nearby, and how many faces are not at a center."""
    middles = np.array([((f.box[0] + f.box[2]) / 2, (f.box[1] + f.box[3]) / 2) for f in faces])
    distances = np.abs(middles.reshape(-1, 1, 2) - centers[None]).max(axis=2)
    is_near = distances < 0.3 * face_width
    right = min((is_near.any(axis=0)).sum(), (is_near.any(axis=1)).sum())
    return int((~is_near.any(axis=0)).sum()), int(len(faces) - right)
