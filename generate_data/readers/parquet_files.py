"""Finds the parquet files of a dataset of the Hugging Face Hub, and the split of each."""

import re
from pathlib import Path

from generate_data.labels import SPLIT_FOLDERS

_ENDING = ".parquet"
_DEPTH = 3  # folders that are searched: the source, data/ in it, and default/train/


def find_parquet_files(source: Path) -> list[Path]:
    """Returns the parquet files of a source, sorted: the source itself, or those in the folder.

    Example:
        >>> find_parquet_files(Path("affectnethq"))
        [PosixPath('affectnethq/data/train-00000-of-00002.parquet'), ...]
    """
    if source.is_file():
        return [source] if source.suffix.lower() == _ENDING else []
    found = [
        path
        for depth in range(_DEPTH)
        for path in source.glob("*/" * depth + "*" + _ENDING)
        if not any(part.startswith(".") for part in path.relative_to(source).parts)
    ]
    return sorted(path for path in found if path.is_file())


def split_of(path: Path) -> str:
    """Returns the split that a file belongs to; "" if neither its name nor its folder says so.

    Example:
        >>> split_of(Path("data/validation-00000-of-00001.parquet"))
        'val'
    """
    prefix = re.split(r"[-_.]", path.name.lower())[0]
    return SPLIT_FOLDERS.get(prefix) or SPLIT_FOLDERS.get(path.parent.name.lower(), "")
