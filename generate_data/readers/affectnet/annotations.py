"""AffectNet as train_set and val_set: images, and a file with the label of each (annotations)."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from generate_data.errors import DataError, foreign_format
from generate_data.readers.affectnet.labels import LAST, LabelledImage, label_of_text
from generate_data.readers.listing import Listing, file_names, image_names, subfolders

SETS = {"train_set": "train", "val_set": "test"}
PIECE = 256


def annotated_sets(folder: Path) -> dict[str, Path]:
    """Returns the folders train_set and val_set in a folder, by name; {} if it has neither."""
    return {name: path for name, path in subfolders(folder).items() if name in SETS}


def read_annotated(
    listing: Listing, sets: dict[str, Path], progress: Callable[[float], None]
) -> list[LabelledImage]:
    """Reads the images with an annotation; images without one are problems."""
    labelled = []
    for name, folder in sets.items():
        base = folder.relative_to(listing.root).as_posix()
        images = _images_with_annotation(listing, name, folder)
        annotations = [folder / "annotations" / _annotation(image) for image in images]
        texts = _read_labels(annotations, progress, 1 / len(sets))
        for image, annotation, text in zip(images, annotations, texts, strict=True):
            label = label_of_text(text)
            if label is None:
                kind = f"annotations that are not a label, expected a number from 0 to {LAST}"
                listing.add_problem(kind, f"{annotation} holds {text!r}")
            else:
                path = f"{base}/images/{image}"
                labelled.append(LabelledImage(path, SETS[name], label, text))
    return labelled


def _images_with_annotation(listing: Listing, name: str, folder: Path) -> list[str]:
    """Lists the images of train_set or val_set that have an annotation file.

    It records images without annotation as problems, and annotations without image as a warning.
    """
    images = image_names(folder / "images", listing.passed_over)
    annotations = _annotation_files(folder)
    kind = f"images without an annotation (annotations/<id>_exp.npy in {name})"
    for image in images:
        if _annotation(image) not in annotations:
            listing.add_problem(kind, str(folder / "images" / image))
    annotated = [image for image in images if _annotation(image) in annotations]
    used = {_annotation(image) for image in annotated}
    unused = sum(file.endswith("_exp.npy") for file in annotations) - len(used)
    if unused:
        listing.warnings.append(f"{unused} annotations in {folder / 'annotations'} have no image.")
    return annotated


def _annotation_files(folder: Path) -> set[str]:
    annotations = folder / "annotations"
    return set(file_names(annotations)) if annotations.is_dir() else set()


def _annotation(image: str) -> str:
    return f"{os.path.splitext(image)[0]}_exp.npy"


def _read_labels(paths: list[Path], progress: Callable[[float], None], share: float) -> list[str]:
    """Reads the text of each annotation file, in parallel: a dataset has up to 300,000 files."""
    texts: list[str] = []
    pieces = [paths[start : start + PIECE] for start in range(0, len(paths), PIECE)]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for piece in pool.map(lambda piece: [_read_label(path) for path in piece], pieces):
            texts += piece
            progress(share * len(piece) / len(paths))
    return texts


def _read_label(path: Path) -> str:
    """Returns the content of an annotation file as text, also if it is not a label."""
    try:
        with foreign_format(DataError, path, "not an array"), open(path, "rb") as file:
            value = np.lib.format.read_array(file, allow_pickle=False)
            if value.size != 1:
                return f"{value.size} values"
            value = value.reshape(())[()]
            return value.decode("latin-1") if isinstance(value, bytes) else str(value)
    except DataError as error:
        return error.problem[:80]
