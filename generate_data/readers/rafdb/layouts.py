"""Finds which layout of RAF-DB a folder has.

Its labels are 1..7 = surprise, fear, disgust, happy, sad, anger, neutral. It has no val.
"""

from pathlib import Path

from generate_data.labels import CLASS_ORDER, RAFDB
from generate_data.readers.listing import Listing, existing_root
from generate_data.readers.rafdb.class_folders import add_class_folders, has_class_folders
from generate_data.readers.rafdb.csv_labels import add_csv_images, label_files
from generate_data.readers.rafdb.label_list import add_listed_images, find_label_list


def list_rafdb(source: str | Path) -> Listing:
    """Lists RAF-DB's images (the basic, single-label part).

    Args:
        source: the folder with EmoLabel/list_patition_label.txt and Image/aligned (both may be
            below `basic`), with class folders train/1 to train/7 and test/1 to test/7 (they may
            be in DATASET, test may be called valid, and numbers may start at 0), or with flat
            images and train_labels.csv and test_labels.csv.

    Raises:
        DataError: the folder is missing or has none of these layouts.
    """
    root = existing_root(source)
    file = find_label_list(root)
    names = CLASS_ORDER[: len(RAFDB)]
    files = label_files(root)
    if file is not None:
        listing = Listing(root, file.name, f"RAF-DB by {file.name}", class_names=names)
        add_listed_images(listing, file)
    elif files and not has_class_folders(root):
        listing = Listing(root, "rafdb", "RAF-DB", class_names=names)
        add_csv_images(listing, files)
    else:
        listing = Listing(root, "rafdb", "RAF-DB as class folders", class_names=names)
        add_class_folders(listing)
    listing.images.sort(key=lambda image: image.path)
    return listing
