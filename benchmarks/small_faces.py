"""Measures what the search for small faces finds, and what it costs.

python benchmarks/small_faces.py --save

The photos are made from the astronaut's face. Each is searched by YuNet at 640 pixels alone
(``--detector-size 640``), as it is by default, and at fixed larger sizes. All run in turn in one
process and with one thread. Times are those of the processor, which other programs disturb little.
"""

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import paired

from ferkit.recognition.yunet import YuNet
from tests.support.group_photos import astronaut, group_photo, missed_and_false

REFERENCE = "640"
SIZES = {REFERENCE: 640, "default": None, "1280": 1280, "2560": 2560}
FIELDS = ("photo", "size", "faces", "missed", "false", "time_relative_to_640", "processor_ms_here")
Photo = tuple[np.ndarray, np.ndarray, float]  # pixels, centers of the faces, their width


def photos() -> dict[str, Callable[[], Photo]]:
    """Name -> what makes the photo."""

    def portrait(side: int) -> Photo:
        photo = cv2.resize(astronaut(), (side, side), interpolation=cv2.INTER_CUBIC)
        scale = side / 512
        return photo, np.array([[223.0, 119.0]]) * scale, 90 * scale

    def group(width: int, rows: int, columns: int, size: tuple[int, int]) -> Photo:
        return *group_photo(width, rows, columns, size), float(width)

    def empty(height: int, width: int) -> Photo:
        return np.full((height, width, 3), 127, np.uint8), np.zeros((0, 2)), 1.0

    return {
        "a portrait, 512 x 512": lambda: portrait(512),
        "a portrait, 3000 x 3000": lambda: portrait(3000),
        "12 faces of 120 pixels, 1600 x 1200": lambda: group(120, 3, 4, (1200, 1600)),
        "60 faces of 55 pixels, 4000 x 3000": lambda: group(55, 6, 10, (3000, 4000)),
        "40 faces of 150 pixels, 800 x 20000": lambda: group(150, 40, 1, (20_000, 800)),
        "no face, 1920 x 1080": lambda: empty(1080, 1920),
        "no face, 4000 x 3000": lambda: empty(3000, 4000),
    }


def measure(name: str, make: Callable[[], Photo], rounds: int) -> list[dict]:
    """The rows of a photo."""
    photo, centers, width = make()
    detectors = {size: YuNet(threads=1, size=pixels) for size, pixels in SIZES.items()}
    faces = {size: detector(photo) for size, detector in detectors.items()}
    seconds: dict[str, list[float]] = {size: [] for size in SIZES}
    for _ in range(rounds):
        for size, detector in detectors.items():
            started = time.process_time()
            detector(photo)
            seconds[size].append(time.process_time() - started)
    medians = {size: statistics.median(times) for size, times in seconds.items()}
    rows = []
    for size in SIZES:
        missed, false = missed_and_false(faces[size], centers, width)
        values = (len(faces[size]), missed, false)
        ratio = f"{medians[size] / medians[REFERENCE]:.2f}"
        cells = (name, size, *values, ratio, f"{1000 * medians[size]:.1f}")
        rows.append(dict(zip(FIELDS, cells, strict=True)))
        print(", ".join(f"{value}" for value in rows[-1].values()), flush=True)
    return rows


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="turns of each size (default: 15)")
    parser.add_argument(
        "--save", action="store_true", help="write the result to benchmarks/results/"
    )
    options = parser.parse_args()
    print(", ".join(FIELDS))
    rows = [row for name, make in photos().items() for row in measure(name, make, options.rounds)]
    if options.save:
        path = Path(__file__).parent / "results" / "Small_faces.csv"
        with open(path, "w", newline="", encoding="utf-8") as out:
            out.write(
                f"# Small faces; the medians of {options.rounds} rounds; {paired.machine()}\n"
            )
            out.write(f"# {paired.versions()}; commit {paired.commit()}\n")
            writer = csv.DictWriter(out, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
