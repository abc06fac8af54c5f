"""A zip of class folders that is not unpacked yet, such as Kaggle's archive.zip of FER-2013."""

import zipfile
from pathlib import Path, PurePosixPath

from generate_data.image_types import DATASET_TYPES
from generate_data.labels import SPLIT_FOLDERS
from generate_data.readers.kaggle_csv import reading_archive


def find_class_zip(source: Path) -> Path | None:
    """Returns the first zip, source or in it, that holds images in class folders in a train folder.

    Raises:
        DataError: a zip is damaged.
    """
    files = [source] if source.is_file() else sorted(source.iterdir())
    return next((path for path in files if _holds_class_folders(path)), None)


def _holds_class_folders(path: Path) -> bool:
    if not path.is_file() or path.name.startswith(".") or not zipfile.is_zipfile(path):
        return False
    with reading_archive(path.name), zipfile.ZipFile(path) as archive:
        return any(_is_train_image(name) for name in archive.namelist())


def _is_train_image(name: str) -> bool:
    parents = PurePosixPath(name).parts[:-1]
    splits = [SPLIT_FOLDERS.get(parent.lower()) for parent in parents[-2:-1]]
    return _is_image(name) and splits == ["train"]


def _is_image(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in DATASET_TYPES and not path.name.startswith(".")


def unpack_images(path: Path, folder: Path) -> None:
    """Unpacks the images of a zip into a folder, which nothing can be written outside of.

    Raises:
        DataError: the zip is damaged, or the disk is full.
    """
    with reading_archive(path.name), zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if _is_image(entry.filename) and not entry.filename.startswith("__MACOSX"):
                archive.extract(entry, folder)
