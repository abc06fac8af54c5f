"""Drawn pictures and videos whose faces are white squares, and a detector that finds them."""

import cv2
import numpy as np

from ferkit.recognition import Face


class BrightSquares:
    """A detector for which each white area is a face."""

    name = "bright"

    def __call__(self, photo):
        _, _, boxes, _ = cv2.connectedComponentsWithStats(
            (photo.min(axis=2) > 200).astype(np.uint8)
        )
        found = [(x, y, x + w, y + h) for x, y, w, h, area in boxes[1:].tolist() if area > 50]
        return [Face(tuple(map(float, box)), 0.9) for box in sorted(found)]


def picture(*boxes, size=(120, 160)):
    image = np.full((*size, 3), 60, np.uint8)
    for left, top, side in boxes:
        image[top : top + side, left : left + side] = 255
    return image


def write_video(path, frames, rate=20):
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, frames[0].shape[1::-1]
    )
    for frame in frames:
        writer.write(frame[:, :, ::-1])
    writer.release()
    return str(path)
