"""Files of arrays that list their content with checksums, so that damage never goes unnoticed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

_CONTENTS = "contents"  # the array that lists the others: JSON, name -> SHA-256


class DamagedFileError(Exception):
    """The file is not complete and unchanged; its text says why, briefly."""


def write_arrays(out: BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as .npz, without pickles.

    Args:
        out: a binary file.
        arrays: name -> array.
    """
    named = {_CONTENTS: np.array(_contents(arrays)), **arrays}
    np.savez(out, **named)  # type: ignore[arg-type] # mypy takes an array for allow_pickle


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file that ``write_arrays`` wrote, in their order.

    Raises:
        DamagedFileError: the file is missing, or has any other content than was written.
    """
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        contents = str(arrays.pop(_CONTENTS, "no list"))
        is_intact = contents == _contents(arrays)
    except Exception as error:  # the type of error depends on the damage
        raise DamagedFileError(type(error).__name__) from error
    if not is_intact:
        raise DamagedFileError("its content does not match its list of checksums")
    return arrays


def _contents(arrays: Mapping[str, np.ndarray]) -> str:
    return json.dumps({name: _digest(array) for name, array in arrays.items()})


def _digest(array: np.ndarray) -> str:
    about = repr((array.dtype.str, array.shape)).encode()
    return hashlib.sha256(about + array.tobytes()).hexdigest()
