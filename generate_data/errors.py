"""Errors that a user can cause: one line that says where, what is wrong and what to do."""

import errno
from pathlib import Path


class OneLineError(Exception):
    """An error that is reported as one line; the command exits with code 2.

    Args:
        where: the file, folder or flag that is wrong, with its value: "--batch_size 0".
        problem: what is wrong, and what was received.
        advice: what to do about it, in the imperative, without a period at the end.

    Example:
        >>> str(OneLineError("--batch_size 0", "out of range", "give a number of at least 1"))
        '--batch_size 0: out of range; give a number of at least 1.'
    """

    def __init__(self, where: object, problem: str = "", advice: str = "") -> None:
        self.where, self.problem, self.advice = str(where), problem, advice
        super().__init__(self.where, problem, advice)

    def __str__(self) -> str:
        if not self.problem:
            return self.where
        line = f"{self.where}: {self.problem}"
        if self.advice:
            line = f"{line}; {self.advice}"
        return line if line.endswith((".", "!", "?")) else f"{line}."


class DataError(OneLineError):
    """Something is wrong with the user's dataset files."""


def explain_os_error(error: OSError, folder: Path) -> str:
    """One line for what went wrong while set-up wrote a dataset to `folder`."""
    if error.errno == errno.ENOSPC:
        return f"{folder}: no space left on the disk. Free 200 MB and run set-up again; nothing was changed."
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return f"{error.filename or folder}: no permission to write. Choose another folder with -d, or change its permissions."
    if isinstance(error, (NotADirectoryError, FileExistsError)):
        return f"{folder}: not a folder. Name a folder after -d; a file goes after --source."
    return f"{error.filename or folder}: {error.strerror or error}. Nothing was changed."
