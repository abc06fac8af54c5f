"""Finds which layout of AffectNet a folder has.

Its labels are 0..7 = neutral, happy, sad, surprise, fear, disgust, anger, contempt. Labels 8, 9 and
10 (none, uncertain, no face) are skipped. Its val is the published test set: it becomes split test.
"""

from collections.abc import Callable
from pathlib import Path

from generate_data.errors import DataError
from generate_data.labels import CLASS_ORDER, SPLIT_FOLDERS, affectnet_class
from generate_data.readers.affectnet.annotations import annotated_sets, read_annotated
from generate_data.readers.affectnet.authors_lists import csv_lists, read_csv_lists
from generate_data.readers.affectnet.class_folders import (
    has_class_folders,
    has_split_folders,
    read_direct_folders,
    read_split_folders,
)
from generate_data.readers.affectnet.labels import LabelledImage
from generate_data.readers.affectnet.yolo import read_yolo, yolo_folders
from generate_data.readers.listing import ListedImage, Listing, existing_root, subfolders


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
            ListedImage(image.path, image.split, name if used else None, image.text, box=image.box)
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
    if sets := annotated_sets(folder):
        return lambda: read_annotated(listing, sets, progress)
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
