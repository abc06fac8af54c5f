"""Do alignment and margin help? Faces of a dataset's validation split, turned and scaled as in photos, cut out again.

python benchmarks/alignment.py data deep_emotion-fer2013 --faces 1500 --save

Each image is enlarged, turned by up to 25 degrees, put on a larger canvas whose surroundings repeat its edge, and given to the
recognizer as a photo would be. Figures are accuracies on the images in which the detector finds a face, so that all rows compare
the same ones. Also printed is where the landmarks of the train images lie, from which ferkit/detection/alignment.py has its
constants.
"""

import argparse
import csv
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SIDE, CANVAS = 144, 320


def as_photo(image, angle, scale):
    """A face as part of a photo: uint8 (CANVAS, CANVAS, 3)."""
    side = round(SIDE * scale)
    large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1.0)
    turn[:, 2] += (CANVAS - side) / 2
    photo = cv2.warpAffine(
        large, turn, (CANVAS, CANVAS), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.repeat(photo[:, :, None], 3, axis=2)


def training_landmarks(split, count, detector):
    """Medians of the landmarks in train images, as shares of the side."""
    found = []
    for image in split.images[:: max(1, len(split) // count), :, :, 0]:
        photo = as_photo(image, 0, 1.0)
        faces = detector(photo)
        if faces:
            found.append((faces[0].landmarks - (CANVAS - SIDE) / 2) / SIDE)
    return len(found), np.median(found, axis=0)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("weights")
    parser.add_argument("--faces", type=int, default=1500)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    from ferkit import Recognizer
    from ferkit.input_pipeline.dataset import load_split
    from ferkit.recognition import cut_face

    recognizer = Recognizer(options.weights)
    count, places = training_landmarks(load_split(options.data, "train"), 1200, recognizer.detector)
    print(f"landmarks of {count} train images, shares of the side:\n{places.round(3)}")
    split, numbers = load_split(options.data, "val"), np.random.default_rng(0)
    rows = np.sort(numbers.permutation(len(split))[: options.faces])
    photos = [
        as_photo(image, angle, scale)
        for image, angle, scale in zip(
            split.images[rows, :, :, 0],
            numbers.uniform(-25, 25, len(rows)),
            numbers.uniform(0.7, 1.4, len(rows)),
            strict=True,
        )
    ]
    faces = [recognizer.detector(photo) for photo in photos]
    seen = [k for k, found in enumerate(faces) if found]
    labels = split.labels[rows][seen]

    def accuracy(crops):
        return (recognizer.probabilities(crops).argmax(axis=1) == labels).mean()

    def crops(margin, align):
        cut = (cut_face(photos[k], faces[k][0], 48, margin, align) for k in seen)
        return [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[:, :, None] for crop in cut]

    table = [
        ("the dataset's own crop, never turned", accuracy([split.images[rows[k]] for k in seen]))
    ]
    table += [
        (f"box, margin {margin:+.0%}", accuracy(crops(margin, False)))
        for margin in (-0.1, 0.0, 0.1, 0.25)
    ]
    table += [
        (f"aligned, margin {margin:+.0%}", accuracy(crops(margin, True)))
        for margin in (-0.2, -0.1, 0.0, 0.1, 0.25)
    ]
    print(f"{len(seen)} of {len(rows)} faces found; accuracy on those, turned by up to 25 degrees:")
    for name, share in table:
        print(f"  {name:<40}{share:.2%}")
    if options.save:
        with open(Path(__file__).parent / "results" / "alignment.csv", "w", newline="") as out:
            csv.writer(out).writerows(
                [("crop", "accuracy", "faces"), *((n, f"{a:.4f}", len(seen)) for n, a in table)]
            )


if __name__ == "__main__":
    main()
