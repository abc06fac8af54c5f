"""The folder in which a set-up keeps what is unfinished."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from generate_data.errors import explain_os_error
from generate_data.manifest import WORK_FOLDER


@contextlib.contextmanager
def work_folder(folder: Path) -> Iterator[Path]:
    """A path within a dataset's folder for the block to make; it goes when the block ends, well or not.

    Raises:
        DataError: the operating system refused something in the block, in one line.
    """
    work = folder / f"{WORK_FOLDER}{os.getpid()}"
    try:
        yield work
    except OSError as error:
        raise explain_os_error(error, folder) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
