"""Measures whether alignment and a margin improve the accuracy on validation faces.

python benchmarks/alignment.py data deep_emotion-fer2013 --faces 1500 --save

Each image of the validation split is enlarged, rotated by up to 25 degrees and placed on a larger
canvas whose surroundings repeat its edge. The recognizer receives it like a photo. The accuracies
are on the images in which the detector finds a face, so that all rows compare the same images. The
median landmarks of the training images are also printed; ferkit/recognition/alignment.py has its
constants from them.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ferkit import Recognizer
from ferkit.input_pipeline.dataset import Split, load_split
from ferkit.recognition import Face, cut_face
from ferkit.recognition.detectors import Detector

SIDE, CANVAS = 144, 320  # pixels
LANDMARK_IMAGES = 1200
BOX_MARGINS = (-0.1, 0.0, 0.1, 0.25)
ALIGNED_MARGINS = (-0.2, -0.1, 0.0, 0.1, 0.25)


def as_photo(image: np.ndarray, angle: float, scale: float) -> np.ndarray:
    """A face as part of a photo: uint8 ``(CANVAS, CANVAS, 3)``.

    Args:
        image: uint8 ``(height, width)``.
        angle: rotation in degrees.
        scale: size of the face relative to ``SIDE``.
    """
    side = round(SIDE * scale)
    large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
    rotation = cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1.0)
    rotation[:, 2] += (CANVAS - side) / 2
    photo = cv2.warpAffine(
        large, rotation, (CANVAS, CANVAS), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.repeat(photo[:, :, None], 3, axis=2)


def training_landmarks(split: Split, count: int, detector: Detector) -> tuple[int, np.ndarray]:
    """Median landmarks ``(5, 2)`` of training images as fractions of the side, and their number."""
    landmarks = []
    for image in split.images[:: max(1, len(split) // count), :, :, 0]:
        faces = detector(as_photo(image, 0, 1.0))
        if faces and faces[0].landmarks is not None:
            landmarks.append((faces[0].landmarks - (CANVAS - SIDE) / 2) / SIDE)
    return len(landmarks), np.median(landmarks, axis=0)


def gray_crops(
    photos: Sequence[np.ndarray], faces: Sequence[Face], margin: float, align: bool
) -> list[np.ndarray]:
    """The crops of faces, uint8 ``(48, 48, 1)`` each."""
    crops = [
        cut_face(photo, face, 48, margin, align) for photo, face in zip(photos, faces, strict=True)
    ]
    return [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[:, :, None] for crop in crops]


def accuracy_table(
    recognizer: Recognizer, split: Split, face_count: int
) -> tuple[list[tuple[str, float]], int, int]:
    """Accuracy of each kind of crop, the number of faces found, and that of images."""
    rng = np.random.default_rng(0)
    rows = np.sort(rng.permutation(len(split))[:face_count])
    images = split.images[rows, :, :, 0]
    angles, scales = rng.uniform(-25, 25, len(rows)), rng.uniform(0.7, 1.4, len(rows))
    photos = [as_photo(*values) for values in zip(images, angles, scales, strict=True)]
    detected = [recognizer.detector(photo) for photo in photos]
    found = [k for k, faces in enumerate(detected) if faces]
    found_photos, found_faces = [photos[k] for k in found], [detected[k][0] for k in found]
    labels = split.labels[rows][found]

    def accuracy(crops: Sequence[np.ndarray]) -> float:
        return (recognizer.probabilities(crops).argmax(axis=1) == labels).mean()

    dataset_crops = [split.images[rows[k]] for k in found]
    table = [("the dataset's own crop, never turned", accuracy(dataset_crops))]
    for name, align, margins in (("box", False, BOX_MARGINS), ("aligned", True, ALIGNED_MARGINS)):
        for margin in margins:
            crops = gray_crops(found_photos, found_faces, margin, align)
            table.append((f"{name}, margin {margin:+.0%}", accuracy(crops)))
    return table, len(found), len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="folder of the dataset")
    parser.add_argument("weights", help="name of shipped weights, or a .keras file")
    parser.add_argument("--faces", type=int, default=1500, help="validation images")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/")
    options = parser.parse_args()
    recognizer = Recognizer(options.weights)
    train = load_split(options.data, "train")
    count, landmarks = training_landmarks(train, LANDMARK_IMAGES, recognizer.detector)
    print(f"Landmarks of {count} train images, as fractions of the side:\n{landmarks.round(3)}")
    split = load_split(options.data, "val")
    table, found, images = accuracy_table(recognizer, split, options.faces)
    print(f"{found} of {images} faces found; accuracy on those, rotated by up to 25 degrees:")
    for name, accuracy in table:
        print(f"  {name:<40}{accuracy:.2%}")
    if options.save:
        with open(Path(__file__).parent / "results" / "alignment.csv", "w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(("crop", "accuracy", "faces"))
            writer.writerows((name, f"{accuracy:.4f}", found) for name, accuracy in table)


if __name__ == "__main__":
    main()
