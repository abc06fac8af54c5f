"""Tells a dataset that is read as image folders from one that is read as FER2013."""

from pathlib import Path

from generate_data.labels import CONTEMPT, SPLIT_FOLDERS, expression_of
from generate_data.readers.ferplus_folders import find_ferplus_folders
from generate_data.readers.kaggle_layouts import find_csv_files
from generate_data.readers.listing import subfolders
from generate_data.readers.parquet_files import find_parquet_files


def is_image_source(source: str | Path) -> bool:
    """Returns whether a source is a dataset of image files for `set_up_image_dataset`.

    These are parquet files of the Hugging Face Hub, FERPlus' own output, and class folders that are
    not those of FER2013: with contempt, or without train. A folder with a CSV file of FER2013 is
    not one.

    Example:
        >>> is_image_source("datasets/CK+48"), is_image_source("fer2013.csv")
        (True, False)
    """
    path = Path(source).expanduser()
    if not path.is_dir():
        return bool(path.is_file() and find_parquet_files(path))
    recognized = (
        find_ferplus_folders(path) or _has_other_class_folders(path) or find_parquet_files(path)
    )
    return bool(recognized) and not find_csv_files(path).has_labels


def _has_other_class_folders(source: Path) -> bool:
    """Returns whether there are class folders that the reader of FER2013 does not know."""
    inside = subfolders(source)
    for folders in (inside, *map(subfolders, inside.values())):
        splits = [path for name, path in folders.items() if name in SPLIT_FOLDERS]
        if any(_has_class(CONTEMPT, split) for split in splits):
            return True
        if not splits and len({expression_of(name) for name in folders} - {None}) > 1:
            return not any(SPLIT_FOLDERS.get(name) == "train" for name in inside)
    return False


def _has_class(name: str, folder: Path) -> bool:
    return any(expression_of(inner) == name for inner in subfolders(folder))
