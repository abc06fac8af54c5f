"""Errors that a user can cause: one line that says where, what is wrong and what to do."""

import contextlib
import errno
import re
from collections.abc import Iterator
from pathlib import Path

SET_UP_AGAIN = "run set-up again"  # the advice for a damaged dataset
_LONGEST_NAME = 300  # characters of a file name or flag that a message shows
# Characters that a terminal obeys instead of showing, and bytes of a name that are not UTF-8.
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def escaped(text: object) -> str:
    r"""Returns a text on one line: control characters and undecodable bytes become escapes.

    Example:
        >>> print(escaped("a\nb.jpg"))
        a\nb.jpg
    """
    return _UNSHOWABLE.sub(
        lambda found: found[0].encode("unicode_escape").decode("ascii"), str(text)
    )


def first_line(error: BaseException, limit: int = 200) -> str:
    """The first line of an exception's text, or the name of its type when it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:limit]


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
        where = escaped(self.where)
        if len(where) > _LONGEST_NAME:
            where = f"{where[:_LONGEST_NAME]}..."
        line = f"{where}: {escaped(self.problem)}"
        if self.advice:
            # Lists of rows follow the advice on lines of their own.
            advice = "\n".join(map(escaped, self.advice.split("\n")))
            line = f"{line}; {advice}"
        return line if line.endswith((".", "!", "?")) else f"{line}."


class DataError(OneLineError):
    """Something is wrong with the user's dataset files."""


@contextlib.contextmanager
def foreign_format(
    kind: type[OneLineError], where: object, problem: str, advice: str = ""
) -> Iterator[None]:
    """In this context, which reads a file of a foreign format, any exception is a one-line error.

    A damaged or hostile file makes its reader raise more than the exceptions that it documents.

    Args:
        kind: the class of the error; a `OneLineError` that is raised inside passes unchanged.
        where: the file.
        problem: what is wrong; the first line of the exception follows in parentheses.
        advice: what to do.

    Raises:
        OneLineError: the block raised an exception.

    Example:
        >>> with foreign_format(DataError, path, "not a list of labels", "download it again"):
        ...     labels = json.loads(path.read_text())
    """
    try:
        yield
    except OneLineError:
        raise
    except Exception as error:  # any: see above
        reason = getattr(error, "strerror", None) or first_line(error)
        raise kind(where, f"{problem} ({reason})", advice) from error


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
