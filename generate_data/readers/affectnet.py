"""AffectNet where it lies: a folder of images with a folder of annotations, or class folders.

Its labels are 0..7 = neutral, happy, sad, surprise, fear, disgust, anger, contempt; 8, 9 and 10 (none, uncertain, no face) are
left out.
Its val is the published test set, and becomes split test.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from generate_data.errors import DataError
from generate_data.labels import (
    AFFECTNET,
    AFFECTNET_SKIPPED,
    OUR_ORDER,
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
    in_class_folders,
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
RESPLIT = {
    name: SPLIT_FOLDERS[name] for name in (*FOLDERS, "test", "testing")
}  # of copies that someone split anew
LAST = len(AFFECTNET) + len(AFFECTNET_SKIPPED) - 1
PIECE = 256


def list_affectnet(
    source: str | Path, classes: int = 8, progress: Callable[[float], None] = lambda share: None
) -> Listing:
    """Lists AffectNet's images.

    Args:
        source: the folder with train_set and val_set (images and annotations in each), or with train and val (class
            folders 0 to 7, or named).
        classes: 8, or 7 to leave contempt out.
        progress: called with the share of the work done since the last call.

    Raises:
        DataError: the folder is missing or has neither form, or a folder in it is missing or unknown.
    """
    root = existing_root(source)
    folders = subfolders(root)
    listing = Listing(
        root, "affectnet", "AffectNet with annotations", class_names=OUR_ORDER[:classes]
    )
    if any(name in SETS for name in folders):
        labelled = _annotated(
            listing, {name: folders[name] for name in SETS if name in folders}, progress
        )
    elif any(name in FOLDERS and _has_class_folder(path) for name, path in folders.items()):
        listing.form = "AffectNet as class folders"
        labelled = _class_folders(listing, folders)
    else:
        raise DataError(
            f"{root}: not AffectNet: neither train_set/images with train_set/annotations (and val_set), nor class folders "
            f"train/0 to train/7 (and val). It holds {_some(folders)}. Name the folder with these in it."
        )
    for path, split, label, text in labelled:
        name, is_expression = affectnet_class(label)
        taken = is_expression and name in listing.class_names
        listing.images.append(ListedImage(path, split, name if taken else None, text))
        if not taken:
            listing.skipped[name] += 1
    if "test" not in {image.split for image in listing.images}:
        listing.warnings.append(
            "no val folder, AffectNet's published test set: the dataset has no split test."
        )
    listing.images.sort(key=lambda image: image.path)
    return listing


def _some(folders: dict[str, Path]) -> str:
    names = [path.name for path in folders.values()]
    return (
        f"the folders {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
        if names
        else "no folder"
    )


def _annotated(
    listing: Listing, sets: dict[str, Path], progress: Callable[[float], None]
) -> list[tuple[str, str, int, str]]:
    """(path, split, label, label as it was) of each image with an annotation."""
    labelled = []
    for name, folder in sets.items():
        images = image_names(folder / "images")
        there = (
            set(file_names(folder / "annotations")) if (folder / "annotations").is_dir() else set()
        )
        lacking = [image for image in images if _annotation(image) not in there]
        for image in lacking:
            listing.add_problem(
                f"images without an annotation (annotations/<id>_exp.npy in {name})",
                str(folder / "images" / image),
            )
        lacking = set(lacking)
        images = [image for image in images if image not in lacking]
        unused = sum(file.endswith("_exp.npy") for file in there) - len(
            {_annotation(image) for image in images}
        )
        if unused:
            listing.warnings.append(
                f"{unused} annotations in {folder / 'annotations'} have no image."
            )
        texts = _read_labels(
            [folder / "annotations" / _annotation(image) for image in images],
            progress,
            1 / len(sets),
        )
        for image, text in zip(images, texts, strict=True):
            label = _label(text)
            if label is None:
                kind = f"annotations that are no label, expected a number from 0 to {LAST}"
                listing.add_problem(
                    kind, f"{folder / 'annotations' / _annotation(image)} holds {text!r}"
                )
            else:
                labelled.append((f"{folder.name}/images/{image}", SETS[name], label, text))
    return labelled


def _annotation(image: str) -> str:
    return f"{os.path.splitext(image)[0]}_exp.npy"


def _read_labels(paths: list[Path], progress: Callable[[float], None], share: float) -> list[str]:
    """The text in each annotation file; reading is parallel because a disk with 300,000 small files answers late."""
    texts: list[str] = []
    pieces = [paths[start : start + PIECE] for start in range(0, len(paths), PIECE)]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for piece in pool.map(lambda piece: [_read_label(path) for path in piece], pieces):
            texts += piece
            progress(share * len(piece) / len(paths))
    return texts


def _read_label(path: Path) -> str:
    """What the file holds, as text, whatever it is."""
    import numpy as np

    try:
        value = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        return (
            f"no array ({str(error).splitlines()[0][:60] if str(error) else type(error).__name__})"
        )
    if not isinstance(value, np.ndarray) or value.size != 1:
        return f"{getattr(value, 'size', 'several')} values"
    value = value.reshape(())[()]
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _label(text: str) -> int | None:
    """The number from 0 to 10 that a text is ("6", "6.0"), else None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() and 0 <= value <= LAST else None


def _class_label(folder_name: str) -> int | None:
    """AffectNet's label of a class folder called by its number or by a name."""
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
    """(path, split, label, the folder's name) of each image."""
    splits = FOLDERS
    if {"test", "testing"} & set(folders):
        splits = RESPLIT
        listing.warnings.append(
            "this copy has a test folder beside val: someone split it anew, so compare it with no published figure."
        )
    expected = (
        f"no class of AffectNet, expected a folder 0 to {LAST} or a name such as {AFFECTNET[1]}"
    )
    return in_class_folders(listing.root, listing.root, splits, _class_label, expected)
