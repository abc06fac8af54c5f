"""The reader of FER2013 in every layout: finds the files and reads them into rows."""

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from generate_data.errors import DataError
from generate_data.readers.class_folders import find_tree, read_fer_tree
from generate_data.readers.class_zip import find_class_zip, unpack_images
from generate_data.readers.kaggle_csv import read_csv
from generate_data.readers.kaggle_layouts import CsvInventory, find_csv_files, select_files
from generate_data.rows import Rows, join_rows


@dataclasses.dataclass
class Source:
    """The rows of a source and the files they come from.

    Args:
        rows: what was read.
        files: names of the files that were read, or the folder.
        ignored: names of files with duplicate or unknown content.
        image_names: the name of the PNG file of each row.
    """

    rows: Rows
    files: list[str]
    ignored: list[str]
    image_names: list[str]


Take = Callable[[list[str], np.ndarray], None]


def read_source(
    source: Path,
    progress: Callable[[float], None] = lambda share: None,
    take: Take = lambda names, images: None,
    work: Path | None = None,
) -> Source:
    """Reads FER2013 from a CSV file, an archive, or a folder with such files or with class folders.

    What Kaggle ships comes first. Only if there is none of it, files that another program has saved
    again are looked for, and then a zip of class folders.

    Args:
        source: the file or folder.
        progress: called with the share of the work done since the last call.
        take: called with names for image files and the images, (n, 48, 48), as they are read.
        work: an existing folder for unpacked images; None is the system's temporary folder.

    Raises:
        DataError: there is no readable dataset.
    """
    if not source.exists():
        advice = "create it, put Kaggle's FER2013 files there, or use --sample"
        raise DataError(source, "no such file or folder", advice)
    inventory = find_csv_files(source)
    has_csv = inventory.has_labels or inventory.problems
    tree = find_tree(source) if source.is_dir() and not has_csv else None
    if tree is not None:
        return _read_tree(tree, str(tree), progress, take)
    if not inventory.has_labels:
        resaved = find_csv_files(source, resaved=True)
        archive = None if resaved.has_labels else find_class_zip(source)
        if archive is not None:
            return _read_class_zip(archive, work, progress, take)
        if resaved.has_labels or not inventory.problems:
            inventory = resaved
    return _read_csv_files(inventory, source, progress, take)


def _read_class_zip(
    archive: Path, work: Path | None, progress: Callable[[float], None], take: Take
) -> Source:
    """Reads class folders in a zip, which are unpacked for as long as they are read."""
    with tempfile.TemporaryDirectory(dir=work) as unpacked:
        unpack_images(archive, Path(unpacked))
        tree = find_tree(Path(unpacked))
        if tree is None:
            advice = "unpack it, and give the folder that contains train"
            raise DataError(archive, "no folder train in it, or in a folder in it", advice)
        try:
            return _read_tree(tree, archive.name, progress, take)
        except DataError as error:
            inside = error.where.removeprefix(unpacked).strip("/\\")
            advice = "unpack it, and give its folder with --source"
            raise DataError(f"{archive.name}: {inside}", error.problem, advice) from None


def _read_tree(tree: Path, name: str, progress: Callable[[float], None], take: Take) -> Source:
    """Reads class folders."""
    rows = read_fer_tree(tree, lambda count: progress(count / 35887))
    names = [f"image-{row:05d}.png" for row in rows.source_rows]
    take(names, rows.images)
    return Source(rows, [f"{name} (class folders)"], [], names)


def _read_csv_files(
    inventory: CsvInventory, source: Path, progress: Callable[[float], None], take: Take
) -> Source:
    """Reads the best CSV files of an inventory."""
    selected = select_files(inventory, source)
    total = sum(file.size for file, _ in selected) or 300_000_000
    parts: list[Rows] = []
    names: list[str] = []
    for file, split in selected:

        def take_rows(rows: np.ndarray, images: np.ndarray, stem: str = file.stem) -> None:
            names.extend(f"{stem}-{row:05d}.png" for row in rows.tolist())
            take(names[-len(rows) :] if len(rows) else [], images)

        parts.append(read_csv(file, split, lambda count: progress(count / total), take_rows))
    files = [file.name for file, _ in selected]
    rows = join_rows(parts)
    rows.warnings += [f"not read: {problem}" for problem in inventory.problems.values()]
    return Source(rows, files, [name for name in inventory.names() if name not in files], names)
