"""Errors that a user can cause: one line that says where, what is wrong and what to do."""

import errno
from pathlib import Path

SET_UP_AGAIN = "run set-up again"  # the advice for a damaged dataset


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

    def __init__(self, where: object, problem: str, advice: str = "") -> None:
        self.where, self.problem, self.advice = str(where), problem, advice
        super().__init__(self.where, problem, advice)

    def __str__(self) -> str:
        line = f"{self.where}: {self.problem}"
        if self.advice:
            line = f"{line}; {self.advice}"
        return line if line.endswith((".", "!", "?")) else f"{line}."


class DataError(OneLineError):
    """Something is wrong with the user's dataset files."""


def explain_os_error(error: OSError, folder: Path) -> DataError:
    """Returns the DataError that explains an OSError of set-up.

    Args:
        error: what the operating system reported.
        folder: the folder that set-up wrote the dataset to.
    """
    path = error.filename or folder
    if error.errno == errno.ENOSPC:
        advice = "free 200 MB and run set-up again. Nothing was changed"
        return DataError(folder, "no space left on the disk", advice)
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        advice = "choose another folder with -d, or change its permissions"
        return DataError(path, "no permission to write", advice)
    if isinstance(error, (NotADirectoryError, FileExistsError)):
        advice = "give a folder after -d, and give a file after --source"
        return DataError(folder, "not a folder", advice)
    advice = "check the disk and run set-up again. Nothing was changed"
    return DataError(path, error.strerror or str(error), advice)
