"""Drawn pictures and videos whose faces are white squares, and a detector that finds them."""

import struct
from pathlib import Path

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


def lengthen_frames(path, first, factor):
    """Change a film of `write_video`: the frames from number `first` on last `factor` times longer.

    The table of durations ("stts") gets a second row, so every box around it grows by 8 bytes.
    """
    content = bytearray(Path(path).read_bytes())
    start = content.find(b"stts") - 4
    count, ticks = struct.unpack(">II", content[start + 16 : start + 24])
    rows = (first, ticks, count - first, factor * ticks)
    content[start : start + 24] = struct.pack(">I4sIIIIII", 32, b"stts", 0, 2, *rows)
    for box in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        place = content.find(box) - 4
        (size,) = struct.unpack(">I", content[place : place + 4])
        content[place : place + 4] = struct.pack(">I", size + 8)
    for box, offset in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20), (b"elst", 12)):  # durations
        place = content.find(box) + offset
        (duration,) = struct.unpack(">I", content[place : place + 4])
        content[place : place + 4] = struct.pack(">I", duration * factor)
    Path(path).write_bytes(content)


def write_damaged_video(path, frames, damaged, rate=20):
    """A Motion JPEG film; the content of the frames with those numbers is zeroed."""
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, frames[0].shape[1::-1]
    )
    for frame in frames:
        writer.write(frame[:, :, ::-1])
    writer.release()
    content = bytearray(Path(path).read_bytes())
    place, number = content.find(b"movi") + 4, 0
    while content[place : place + 4] == b"00dc":
        (size,) = struct.unpack("<I", content[place + 4 : place + 8])
        if number in damaged:
            content[place + 8 : place + 8 + size] = bytes(size)
        place, number = place + 8 + size + size % 2, number + 1
    Path(path).write_bytes(content)
    return str(path)
