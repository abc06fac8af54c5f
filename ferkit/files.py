"""Files that are whole or absent: written beside their place, then renamed into it."""

import contextlib
import csv
import errno
import os
import re
import shutil
from pathlib import Path

from ferkit.errors import UserError


@contextlib.contextmanager
def written_atomically(path: str | Path, flush: bool = False):
    """Yields a path to write to; it takes the place of `path` when the block ends well, and goes when it does not.

    Args:
        path: what to write.
        flush: wait until the disk has it, so that it outlives a power cut too.

    Raises:
        UserError: no permission, or no space left.

    Example:
        >>> with written_atomically("report.json") as draft:
        ...     draft.write_text("{}")
    """
    path = Path(path)
    draft = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        if flush:
            with open(draft, "rb+") as written:
                os.fsync(written.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with contextlib.suppress(
            OSError
        ):  # its folder may be none: the reason is on its way already
            draft.unlink()


@contextlib.contextmanager
def folder_written_atomically(path: str | Path):
    """Yields an empty folder to fill; it takes the place of `path`, and of all in it, when the block ends well, and goes when it
    does not.

    A kill between the two renames leaves `path` absent, and what was there before beside it under a hidden name.

    Raises:
        UserError: no permission, or no space left.
    """
    path = Path(path)
    draft, before = (
        path.with_name(f".{os.getpid()}-{kind}{path.name}") for kind in ("", "before-")
    )
    try:
        draft.mkdir(parents=True)
        yield draft
        if path.exists():
            os.replace(path, before)
        os.replace(draft, path)
    except OSError as error:
        if before.exists() and not path.exists():
            os.replace(before, path)
        raise write_error(path, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if path.exists():
            shutil.rmtree(before, ignore_errors=True)


@contextlib.contextmanager
def exclusive_lock(folder: str | Path, message: str):
    """Within, no other process is in a block of this folder; the system lets go of it when a process dies.

    Only where the system has ``flock`` (not on Windows).

    Raises:
        UserError: `message`, when another process is.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / "lock", "w")  # noqa: SIM115 - closed by the block below
    except OSError as error:
        raise write_error(folder, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(message) from error
        except OSError:
            pass  # a file system without locks
        yield


DRAFT = re.compile(r"\.\d+-")  # what a killed process leaves of written_atomically


def remove_partial_files(folder: str | Path):
    """Take away what killed processes left half-written in a folder and below."""
    for path in Path(folder).rglob(".*"):
        if DRAFT.match(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def write_csv(path: str | Path, rows: list[dict]):
    """A CSV of rows that all have the columns of the first."""
    with written_atomically(path) as draft, open(draft, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_error(path, error) -> UserError:
    """The user's version of an operating system error on writing."""
    if error.errno == errno.ENOSPC:
        return UserError(
            f"{path}: no space left on the disk; free some and run again. Nothing finished was lost."
        )
    if isinstance(error, PermissionError):
        return UserError(
            f"{path}: no permission to write there; choose another folder or change its permissions."
        )
    return UserError(
        f"{path}: cannot be written ({error.strerror or error}); choose another place."
    )
