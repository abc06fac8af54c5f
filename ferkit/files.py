"""Files that are complete or absent: written under another name, then renamed."""

import contextlib
import csv
import errno
import functools
import json
import os
import re
import shutil
import sys
import tempfile
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

    Only regular files are replaced: a symbolic link stays and its target gets the content, and a
    device, a pipe or ``/dev/stdout`` receives the content when the block succeeds.

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
    if _is_stream(path):
        with _written_to_stream(path) as draft:
            yield draft
        return
    target = _link_target(path)
    draft = _draft_of(target)
    try:
        _prepare_folder(target.parent)
        yield draft
        if flush:
            with open(draft, "rb+") as written:
                os.fsync(written.fileno())
        os.replace(draft, target)
    except BrokenPipeError:
        raise  # of the output that the block printed
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
    hidden name; the next write into that folder puts it back.

    Raises:
        UserError: no permission, or no space left.
    """
    path = Path(path)
    target = _link_target(path)
    draft, before = _draft_of(target), _draft_of(target, "old-")
    try:
        _prepare_folder(target.parent)
        draft.mkdir()
        yield draft
        if target.exists():
            os.replace(target, before)
        os.replace(draft, target)
    except BrokenPipeError:
        raise  # of the output that the block printed
    except OSError as error:
        if before.exists() and not target.exists():
            os.replace(before, target)
        raise write_error(path, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if target.exists():
            shutil.rmtree(before, ignore_errors=True)


_DRAFT_PARTS = re.compile(r"\.ferkit-(old-)?(\d+)-(.+)")


def _draft_of(path: Path, kind: str = "") -> Path:
    return path.with_name(f".ferkit-{kind}{os.getpid()}-{path.name}")


def _link_target(path: Path) -> Path:
    return Path(os.path.realpath(path)) if os.path.islink(path) else path


def _is_stream(path: Path) -> bool:
    """Whether a path is a device, a pipe or a socket, or standard output or standard error."""
    is_other = os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
    return is_other or _open_stream(path) is not None


def _open_stream(path: Path) -> int | None:
    """1 or 2 if the path is the file of standard output or standard error, else None."""
    for number in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(path), os.fstat(number)):
                return number
    return None


@contextlib.contextmanager
def _written_to_stream(path: Path) -> Iterator[Path]:
    """Yields a temporary file whose content goes to a device or pipe if the block succeeds."""
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        yield draft
        try:
            number = _open_stream(path)  # the same position in a file that output goes to
            if number == 1:
                sys.stdout.flush()
            opened = path if number is None else os.dup(number)
            with open(draft, "rb") as content, open(opened, "wb") as out:
                shutil.copyfileobj(content, out)
        except OSError as error:
            raise write_error(path, error) from error


def _prepare_folder(folder: Path) -> None:
    """Make a folder, and once per process remove the drafts of killed processes from it."""
    folder.mkdir(parents=True, exist_ok=True)
    _remove_drafts_of_killed(Path(os.path.realpath(folder)))


@functools.cache
def _remove_drafts_of_killed(folder: Path) -> None:
    """Remove the drafts that killed processes left in a folder; restore what they had set aside."""
    for path in list(folder.glob(".ferkit-*")):
        parts = _DRAFT_PARTS.fullmatch(path.name)
        if parts is None or _is_running(int(parts[2])):
            continue
        with contextlib.suppress(OSError):
            if parts[1] and not os.path.lexists(folder / parts[3]):
                os.replace(path, folder / parts[3])
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _is_running(process: int) -> bool:
    """Whether a process of this number runs; True where that cannot be asked (Windows)."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


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


# Name of a partial file that a killed process leaves in a run folder, also of older versions.
DRAFT = re.compile(r"\.(ferkit-(old-)?)?\d+-")


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
