"""Measures the search for near-duplicates: its recall on generated duplicates of real faces.

    python benchmarks/copies_recall.py data --sheets /tmp/sheets

The input is a dataset that `main.py setup` wrote. With --sheets, it also writes two images of 72
pairs each, for a check by eye: accepted pairs with the lowest scores, and rejected pairs with the
highest. They show faces of the dataset: do not publish them.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from generate_data.copies.candidates import candidate_pairs
from generate_data.copies.check import THRESHOLD, check_pairs
from generate_data.copies.find import find_copies
from generate_data.images.png import load_images
from generate_data.manifest import read_manifest

FACES = 300


def shift(image: np.ndarray, right: int, down: int) -> np.ndarray:
    return cv2.warpAffine(
        image, np.float32([[1, 0, right], [0, 1, down]]), (48, 48), borderMode=cv2.BORDER_REPLICATE
    )


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(
        cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE
    )


def brighten(image: np.ndarray, by: int) -> np.ndarray:
    return np.clip(image.astype(int) + by, 0, 255).astype(np.uint8)


def crop(image: np.ndarray, top: int, left: int, size: int) -> np.ndarray:
    return cv2.resize(image[top : top + size, left : left + size], (48, 48))


CHANGES = {
    "JPEG, quality 30": lambda image: jpeg(image, 30),
    "brighter by 40": lambda image: brighten(image, 40),
    "contrast times 0.6": lambda image: (image * 0.6 + 30).astype(np.uint8),
    "blurred, sigma 0.8": lambda image: cv2.GaussianBlur(image, (0, 0), 0.8),
    "shifted by 2 and 1 pixels": lambda image: shift(image, 2, 1),
    "shifted by 3 and -3 pixels": lambda image: shift(image, 3, -3),
    "middle 44 pixels to 48": lambda image: crop(image, 2, 2, 44),
    "45 pixels to 48, JPEG 50, brighter by 20": lambda image: brighten(
        jpeg(crop(image, 1, 2, 45), 50), 20
    ),
    "top right 42 pixels to 48": lambda image: crop(image, 0, 6, 42),
    "mirrored": lambda image: image[:, ::-1].copy(),
}


def recall(
    images: np.ndarray, change: Callable[[np.ndarray], np.ndarray], picked: np.ndarray
) -> float:
    """Returns the share of changed faces that the search pairs with their original."""
    made = np.stack([change(images[index]) for index in picked])
    copies = find_copies(np.concatenate([images, made]))
    found = {(first, second) for first, second in copies.near.tolist()}
    pairs = [(index, len(images) + position) for position, index in enumerate(picked)]
    return float(np.mean([pair in found for pair in pairs]))


def write_sheet(path: Path, images: np.ndarray, pairs: np.ndarray) -> None:
    """Writes one image with all pairs, nine in a row."""
    tiles = [
        np.pad(np.hstack([images[first], images[second]]), 2, constant_values=255)
        for first, second in pairs
    ]
    rows = [np.hstack(tiles[start : start + 9]) for start in range(0, len(tiles), 9)]
    cv2.imwrite(
        str(path), cv2.resize(np.vstack(rows), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    )


def main() -> None:
    """Runs the benchmark and prints the recall for each change."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="dataset folder")
    parser.add_argument("--sheets", type=Path, help="folder for the images of pairs")
    options = parser.parse_args()
    manifest = read_manifest(options.data)
    images = load_images([manifest.folder / path for path in manifest.table["path"]])[..., 0]
    images = images[find_copies(images).first == np.arange(len(images))]
    if options.sheets:
        options.sheets.mkdir(parents=True, exist_ok=True)
        pairs = candidate_pairs(images, np.arange(len(images)))
        scores = check_pairs(images, pairs)
        order = np.argsort(scores)
        line = int((scores < THRESHOLD).sum())
        write_sheet(options.sheets / "lowest_accepted.png", images, pairs[order[line : line + 72]])
        rejected = pairs[order[max(line - 72, 0) : line]]
        write_sheet(options.sheets / "highest_rejected.png", images, rejected)
        accepted = len(pairs) - line
        print(f"{len(pairs):,} candidate pairs, {accepted:,} near-duplicates; {options.sheets}")
    picked = np.random.default_rng(0).choice(len(images), FACES, replace=False)
    print(f"Found among {len(images):,} images, of {FACES} faces each:")
    for name, change in CHANGES.items():
        print(f"  {name:<42}{recall(images, change, picked):7.1%}", flush=True)


if __name__ == "__main__":
    main()
