"""The reader of AffectNet: images with annotation files, or class folders.

Its labels are 0..7 = neutral, happy, sad, surprise, fear, disgust, anger, contempt. Labels 8, 9 and
10 (none, uncertain, no face) are skipped. Its val is the published test set: it becomes split test.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from generate_data.errors import DataError, foreign_format
from generate_data.labels import (
    AFFECTNET,
    AFFECTNET_SKIPPED,
    CLASS_ORDER,
    SPLIT_FOLDERS,
    affectnet_class,
    expression_of,
)
from generate_data.readers.listing import (
    ListedImage,
    Listing,
    existing_root,
    file_names,
    image_names,
    list_class_folders,
    subfolders,
)

SETS = {"train_set": "train", "val_set": "test"}
FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "test",
    "valid": "test",
    "validation": "test",
}
# For redistributed copies with new splits.
RESPLIT = {name: SPLIT_FOLDERS[name] for name in (*FOLDERS, "test", "testing")}
LAST = len(AFFECTNET) + len(AFFECTNET_SKIPPED) - 1
PIECE = 256


def list_affectnet(
    source: str | Path, classes: int = 8, progress: Callable[[float], None] = lambda share: None
) -> Listing:
    """Lists AffectNet's images.

    Args:
        source: the folder with train_set and val_set (images and annotations in each), or with
            train and val (class folders 0 to 7, or named).
        classes: 8, or 7 without contempt.
        progress: called with the share of the work done since the last call.

    Raises:
        DataError: the folder is missing or has neither layout, or one of its folders is missing or
            unknown.
    """
    root = existing_root(source)
    listing = Listing(
        root, "affectnet", "AffectNet with annotations", class_names=CLASS_ORDER[:classes]
    )
    for path, split, label, text in _labelled_images(listing, progress):
        name, is_expression = affectnet_class(label)
        used = is_expression and name in listing.class_names
        listing.images.append(ListedImage(path, split, name if used else None, text))
        if not used:
            listing.skipped[name] += 1
    if "test" not in {image.split for image in listing.images}:
        listing.warnings.append(
            "no val folder, which is AffectNet's published test set: the dataset has no split test."
        )
    listing.images.sort(key=lambda image: image.path)
    return listing


def _labelled_images(
    listing: Listing, progress: Callable[[float], None]
) -> list[tuple[str, str, int, str]]:
    """Lists (path, split, label, label as text) of each image, in the layout of the folder."""
    folders = subfolders(listing.root)
    sets = {name: folders[name] for name in SETS if name in folders}
    if sets:
        return _annotated(listing, sets, progress)
    if any(name in FOLDERS and _has_class_folder(path) for name, path in folders.items()):
        listing.form = "AffectNet as class folders"
        return _class_folders(listing, folders)
    raise DataError(
        listing.root,
        "not AffectNet: neither train_set/images with train_set/annotations (and val_set), "
        f"nor class folders train/0 to train/7 (and val). It holds {_list_names(folders)}",
        "give the folder that contains these",
    )


def _list_names(folders: dict[str, Path]) -> str:
    names = [path.name for path in folders.values()]
    return (
        f"the folders {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
        if names
        else "no folder"
    )


def _annotated(
    listing: Listing, sets: dict[str, Path], progress: Callable[[float], None]
) -> list[tuple[str, str, int, str]]:
    """Lists (path, split, label, label as text) of each image with an annotation."""
    labelled = []
    for name, folder in sets.items():
        images = _images_with_annotation(listing, name, folder)
        annotations = [folder / "annotations" / _annotation(image) for image in images]
        texts = _read_labels(annotations, progress, 1 / len(sets))
        for image, annotation, text in zip(images, annotations, texts, strict=True):
            label = _label(text)
            if label is None:
                kind = f"annotations that are not a label, expected a number from 0 to {LAST}"
                listing.add_problem(kind, f"{annotation} holds {text!r}")
            else:
                labelled.append((f"{folder.name}/images/{image}", SETS[name], label, text))
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


def _label(text: str) -> int | None:
    """Returns the label 0 to 10 of a text such as "6" or "6.0", or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() and 0 <= value <= LAST else None


def _class_label(folder_name: str) -> int | None:
    """Returns AffectNet's label for a class folder named by number or by expression."""
    name = folder_name.strip().lower()
    if name.isdecimal():
        return _label(name)
    if name in AFFECTNET_SKIPPED or name.replace("_", " ") in AFFECTNET_SKIPPED:
        return len(AFFECTNET) + AFFECTNET_SKIPPED.index(name.replace("_", " "))
    expression = expression_of(name)
    return None if expression is None else AFFECTNET.index(expression)


def _has_class_folder(folder: Path) -> bool:
    return any(_class_label(name) is not None for name in subfolders(folder))


def _class_folders(listing: Listing, folders: dict[str, Path]) -> list[tuple[str, str, int, str]]:
    """Lists (path, split, label, name of the class folder) of each image."""
    splits = FOLDERS
    if {"test", "testing"} & set(folders):
        splits = RESPLIT
        listing.warnings.append(
            "this copy has a test folder next to val, so its splits were changed: "
            "do not compare results with published figures."
        )
    expected = (
        f"not a class of AffectNet, expected a folder 0 to {LAST} or a name such as {AFFECTNET[1]}"
    )
    return list_class_folders(listing, listing.root, splits, _class_label, expected)
