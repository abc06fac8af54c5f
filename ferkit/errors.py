"""Errors that a user can cause."""

import difflib
import os
from collections.abc import Iterable

from generate_data.errors import OneLineError, escaped, first_line, foreign_format

__all__ = [
    "UserError",
    "escaped",
    "first_line",
    "foreign_format",
    "nearest",
    "not_installed",
    "without_location",
]


class UserError(OneLineError):
    """Something that the user can fix: one line with where, problem and advice.

    Example:
        >>> from ferkit import Recognizer, UserError
        >>> try:
        ...     Recognizer("gone.keras")
        ... except UserError as error:
        ...     print(error)
        gone.keras: no such file.
    """


def not_installed(where: object, packages: str, install: str) -> UserError:
    """The error for missing packages.

    Args:
        where: the command, flag or file that needs them.
        packages: their import names.
        install: what to give to `pip install`.
    """
    problem = f"needs {packages}, which is not installed"
    return UserError(where, problem, f"install with: pip install {install}")


def check_not_forked(owner: int, where: object) -> None:
    """Raise UserError in a process that was forked after its parent had loaded a model.

    Threads do not survive a fork, so that the model would wait for its own threads forever.

    Args:
        owner: the number of the process that loaded the model, from ``os.getpid``.
        where: the runtime that runs it.
    """
    if os.getpid() != owner:
        advice = (
            'start processes with multiprocessing.get_context("spawn"), or load the model in each'
        )
        raise UserError(where, "cannot be used in a forked process", advice)


def nearest(name: str, known: Iterable[str]) -> str:
    """``", nearest known: ..."`` for a misspelled name, or "" when none is similar."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f", nearest known: {close[0]}" if close else ""


def without_location(error: UserError) -> str:
    """The problem and advice of an error, for output that names its file or flag already."""
    advice = f"; {error.advice}" if error.advice else ""
    return escaped(f"{error.problem}{advice}.")
