"""Files that are complete or absent: written under another name, then renamed."""

import contextlib
import csv
import errno
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ferkit.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def written_atomically(path: str | Path, flush: bool = False) -> Iterator[Path]:
    """Yields a path to write to; it replaces `path` if the block succeeds, else it is deleted.

    Args:
        path: the file to write.
        flush: wait until it is on the disk, so that it survives a power failure.

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
def folder_written_atomically(path: str | Path) -> Iterator[Path]:
    """Yields an empty folder to fill; it replaces `path` if the block succeeds, else it is deleted.

    A kill between the two renames leaves `path` absent, and the earlier folder beside it under a
    hidden name.

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
def exclusive_lock(folder: str | Path, error: UserError) -> Iterator[None]:
    """In this context, no other process holds the lock; the system releases it if a process dies.

    Only on systems with ``flock`` (not on Windows).

    Raises:
        UserError: `error`, if another process holds the lock.
    """
    if fcntl is None:
        yield
        return
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / "lock", "w")  # noqa: SIM115 - closed by the block below
    except OSError as failure:
        raise write_error(folder, failure) from failure
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as blocked:
            raise error from blocked
        except OSError:
            pass  # a file system without locks
        yield


DRAFT = re.compile(r"\.\d+-")  # name of a partial file that a killed process leaves


def remove_partial_files(folder: str | Path) -> None:
    """Remove the partial files that killed processes left in a folder and its subfolders."""
    for path in Path(folder).rglob(".*"):
        if DRAFT.match(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON, indented, atomically."""
    with written_atomically(path) as draft:
        draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_csv(path: str | Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a CSV file of rows with the columns of the first, atomically."""
    with (
        written_atomically(path) as draft,
        # Bytes of a file name that are not UTF-8 are written as escapes.
        open(draft, "w", newline="", encoding="utf-8", errors="backslashreplace") as out,
    ):
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_error(path: str | Path, error: Exception) -> UserError:
    """A one-line error for an exception of the operating system on writing."""
    if getattr(error, "errno", None) == errno.ENOSPC:
        advice = "free some and run again; finished files remain"
        return UserError(path, "no space left on the disk", advice)
    if isinstance(error, PermissionError):
        advice = "choose another folder or change its permissions"
        return UserError(path, "no permission to write", advice)
    reason = getattr(error, "strerror", None) or error
    return UserError(path, f"cannot be written ({reason})", "choose another folder")
