"""The reader of AffectNet: finds which layout a folder has, and reads images with annotations.

Its labels are 0..7 = neutral, happy, sad, surprise, fear, disgust, anger, contempt. Labels 8, 9 and
10 (none, uncertain, no face) are skipped. Its val is the published test set: it becomes split test.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from generate_data.errors import DataError, foreign_format
from generate_data.labels import CLASS_ORDER, SPLIT_FOLDERS, affectnet_class
from generate_data.readers.affectnet_csv import csv_lists, read_csv_lists
from generate_data.readers.affectnet_folders import (
    has_class_folders,
    has_split_folders,
    read_direct_folders,
    read_split_folders,
)
from generate_data.readers.affectnet_labels import LAST, LabelledImage, label_of_text
from generate_data.readers.affectnet_yolo import read_yolo, yolo_folders
from generate_data.readers.listing import (
    ListedImage,
    Listing,
    existing_root,
    file_names,
    image_names,
    subfolders,
)

SETS = {"train_set": "train", "val_set": "test"}
PIECE = 256


def list_affectnet(
    source: str | Path, classes: int = 8, progress: Callable[[float], None] = lambda share: None
) -> Listing:
    """Lists AffectNet's images.

    Args:
        source: the folder with train_set and val_set (images and annotations in each), with train
            and val (class folders 0 to 7, or named), with class folders alone, with training.csv
            and validation.csv, or in YOLO form (train/images with train/labels); or the folder of
            such a folder.
        classes: 8, or 7 without contempt.
        progress: called with the share of the work done since the last call.

    Raises:
        DataError: the folder is missing or has none of these layouts, or one of its folders is
            missing or unknown.
    """
    root = existing_root(source)
    listing = Listing(
        root, "affectnet", "AffectNet with annotations", class_names=CLASS_ORDER[:classes]
    )
    for image in _labelled_images(listing, progress):
        name, is_expression = affectnet_class(image.label)
        used = is_expression and name in listing.class_names
        listing.images.append(
            ListedImage(image.path, image.split, name if used else None, image.text, image.box)
        )
        if not used:
            listing.skipped[name] += 1
    listing.warnings += _split_warnings({image.split for image in listing.images})
    listing.images.sort(key=lambda image: image.path)
    return listing


def _split_warnings(splits: set[str]) -> list[str]:
    if splits == {""}:
        return [
            "this copy has no splits, so val and test are drawn: "
            "do not compare results with published figures."
        ]
    if "test" not in splits and "val" in splits:
        return ["no test folder: the dataset has no split test."]
    if "test" not in splits:
        return [
            "no val folder, which is AffectNet's published test set: the dataset has no split test."
        ]
    return []


def _labelled_images(listing: Listing, progress: Callable[[float], None]) -> list[LabelledImage]:
    """Lists the images in the layout of the folder, or of a folder in it."""
    folders = subfolders(listing.root)
    inner = [path for name, path in folders.items() if name not in SPLIT_FOLDERS]
    for folder in (listing.root, *inner):
        read = _layout(listing, folder, progress)
        if read is not None:
            return read()
    raise DataError(
        listing.root,
        "not AffectNet: neither train_set/images with train_set/annotations (and val_set), "
        "nor class folders train/0 to train/7 (and val), nor training.csv, nor train/images with "
        f"train/labels. It holds {_list_names(folders)}",
        "give the folder that contains these",
    )


def _layout(
    listing: Listing, folder: Path, progress: Callable[[float], None]
) -> Callable[[], list[LabelledImage]] | None:
    """Returns what reads the layout of a folder, or None if it has none."""
    folders = subfolders(folder)
    sets = {name: folders[name] for name in SETS if name in folders}
    if sets:
        return lambda: _annotated(listing, sets, progress)
    if has_split_folders(folder):
        return lambda: read_split_folders(listing, folder)
    if lists := csv_lists(folder):
        return lambda: read_csv_lists(listing, folder, lists)
    if parts := yolo_folders(folder):
        return lambda: read_yolo(listing, folder, parts)
    if has_class_folders(folder):
        return lambda: read_direct_folders(listing, folder)
    return None


def _list_names(folders: dict[str, Path]) -> str:
    names = [path.name for path in folders.values()]
    return (
        f"the folders {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
        if names
        else "no folder"
    )


def _annotated(
    listing: Listing, sets: dict[str, Path], progress: Callable[[float], None]
) -> list[LabelledImage]:
    """Lists the images with an annotation."""
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
