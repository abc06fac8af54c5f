"""The folder for unfinished files of set-up."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from generate_data.errors import explain_os_error
from generate_data.manifest import WORK_FOLDER


@contextlib.contextmanager
def work_folder(folder: Path) -> Iterator[Path]:
    """Yields a path in a dataset's folder, and removes that folder when the block ends.

    The block creates the folder itself, when it has checked its arguments.

    Args:
        folder: the dataset's folder.

    Raises:
        DataError: an OSError occurred in the block; see `explain_os_error`.
    """
    work = folder / f"{WORK_FOLDER}{os.getpid()}"
    try:
        yield work
    except OSError as error:
        raise explain_os_error(error, folder) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
