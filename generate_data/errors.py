"""The one error of this package, and the words for those of the operating system."""

import errno
from pathlib import Path


class DataError(Exception):
    """Something about the user's files: one line that says what, where, what was received and what to do."""


def explain_os_error(error: OSError, folder: Path) -> str:
    """One line for what went wrong while set-up wrote a dataset to `folder`."""
    if error.errno == errno.ENOSPC:
        return f"{folder}: no space left on the disk. Free 200 MB and run set-up again; nothing was changed."
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return f"{error.filename or folder}: no permission to write. Choose another folder with -d, or change its permissions."
    if isinstance(error, (NotADirectoryError, FileExistsError)):
        return f"{folder}: not a folder. Name a folder after -d; a file goes after --source."
    return f"{error.filename or folder}: {error.strerror or error}. Nothing was changed."
