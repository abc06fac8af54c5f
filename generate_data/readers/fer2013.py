"""From a file or folder of the user's to rows: what is there, what of it is taken, and reading that."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from generate_data.errors import DataError
from generate_data.readers.class_folders import find_tree, read_fer_tree
from generate_data.readers.kaggle_csv import read_csv
from generate_data.readers.kaggle_layouts import choose, find_csv_files
from generate_data.rows import Rows, join_rows


@dataclasses.dataclass
class Source:
    """Rows and where they come from.

    Args:
        rows: what was read.
        taken: names of the files, or of the folder.
        ignored: names of files that hold the same or nothing of use.
        image_names: the name of the PNG file of each row.
    """

    rows: Rows
    taken: list[str]
    ignored: list[str]
    image_names: list[str]


def read_source(
    place: Path,
    progress: Callable[[float], None] = lambda share: None,
    take: Callable[[list[str], np.ndarray], None] = lambda names, images: None,
) -> Source:
    """Reads FER2013 from a CSV file, an archive, or a folder with such files or with class folders.

    Args:
        place: the file or folder.
        progress: called with the share of the work done since the last call.
        take: called with names for image files and the images, (n, 48, 48), as they are read.

    Raises:
        DataError: nothing there to read, or it cannot be read.
    """
    if not place.exists():
        raise DataError(
            f"{place}: no such file or folder. Make it, put Kaggle's FER2013 files there, or use --sample."
        )
    found = find_csv_files(place)
    if not (found.with_usage or found.with_labels or found.problems) and place.is_dir():
        tree = find_tree(place)
        if tree is not None:
            rows = read_fer_tree(tree, lambda count: progress(count / 35887))
            names = [f"image-{row:05d}.png" for row in rows.source_rows]
            take(names, rows.images)
            return Source(rows, [f"{tree} (class folders)"], [], names)
    chosen = choose(found, place)
    total = sum(file.size for file, _ in chosen) or 300_000_000
    parts: list[Rows] = []
    names: list[str] = []
    for file, split in chosen:

        def take_rows(rows: np.ndarray, images: np.ndarray, stem: str = file.stem) -> None:
            names.extend(f"{stem}-{row:05d}.png" for row in rows.tolist())
            take(names[-len(rows) :] if len(rows) else [], images)

        parts.append(read_csv(file, split, lambda count: progress(count / total), take_rows))
    taken = [file.name for file, _ in chosen]
    seen = [file.name for file in found.with_usage + found.with_labels + found.without_labels]
    ignored = [name for name in seen + found.others if name not in taken]
    rows = join_rows(parts)
    rows.warnings += [f"not read: {problem}" for problem in found.problems.values()]
    return Source(rows, taken, ignored, names)
