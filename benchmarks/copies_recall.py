"""How well the search for near copies does: what it finds of copies made on purpose, and pairs
around the line to look at.

    python benchmarks/copies_recall.py data --sheets /tmp/sheets

Takes a dataset that `main.py setup` wrote. With --sheets, writes two pictures of 72 pairs each:
those taken as near copies with the lowest scores, and those refused with the highest. They show
faces of the dataset: keep them to yourself.
"""

import argparse
import sys
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


def shift(image, right, down):
    return cv2.warpAffine(
        image, np.float32([[1, 0, right], [0, 1, down]]), (48, 48), borderMode=cv2.BORDER_REPLICATE
    )


def jpeg(image, quality):
    return cv2.imdecode(
        cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE
    )


def brighten(image, by):
    return np.clip(image.astype(int) + by, 0, 255).astype(np.uint8)


def crop(image, top, left, size):
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


def recall(images, change, picked):
    """Share of the changed faces that are found to copy the face they were made of, among all
    images.
    """
    made = np.stack([change(images[index]) for index in picked])
    copies = find_copies(np.concatenate([images, made]))
    found = {(one, other) for one, other in copies.near.tolist()}
    return np.mean([(index, len(images) + place) in found for place, index in enumerate(picked)])


def sheet(path, images, pairs):
    tiles = [
        np.pad(np.hstack([images[one], images[other]]), 2, constant_values=255)
        for one, other in pairs
    ]
    rows = [np.hstack(tiles[start : start + 9]) for start in range(0, len(tiles), 9)]
    cv2.imwrite(
        str(path), cv2.resize(np.vstack(rows), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="dataset folder")
    parser.add_argument("--sheets", type=Path, help="folder for the pictures")
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
        sheet(options.sheets / "lowest_taken.png", images, pairs[order[line : line + 72]])
        sheet(
            options.sheets / "highest_refused.png", images, pairs[order[max(line - 72, 0) : line]]
        )
        print(
            f"{len(pairs):,} candidate pairs, {len(pairs) - line:,} near copies; pictures in "
            f"{options.sheets}"
        )
    picked = np.random.default_rng(0).choice(len(images), FACES, replace=False)
    print(f"Found among {len(images):,} images, of {FACES} faces each:")
    for name, change in CHANGES.items():
        print(f"  {name:<42}{recall(images, change, picked):7.1%}", flush=True)


if __name__ == "__main__":
    main()
