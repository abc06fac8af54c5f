"""This process: its modules, its standard error and the cores that it may use."""

import contextlib
import importlib
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FROM_SOURCE, INSTALLED = "python main.py", "deep-emotion"


def program() -> str:
    """How this program was started: `python main.py` in the source folder, or `deep-emotion`."""
    return INSTALLED if Path(sys.argv[0]).stem == INSTALLED else FROM_SOURCE


def as_started(text: str) -> str:
    """A text whose commands name the program as the user started it."""
    return text.replace(FROM_SOURCE, program())


def imported(path: str) -> Any:
    """The object at "module:name", imported now: for optional parts that are slow to import."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


@contextlib.contextmanager
def native_stderr_hidden(shown_on_failure: bool = True) -> Iterator[None]:
    """In this context, standard error is hidden, also of native code; shown if the block fails."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            if shown_on_failure:
                hidden.seek(0)
                os.write(saved, hidden.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


class WarningsHidden:
    """A context that hides the warnings of some modules, and that several threads may share.

    ``warnings.catch_warnings`` alone changes the filters of all threads, and contexts that overlap
    would restore each other's. Here, the first thread changes them and the last restores them.

    Args:
        modules: regular expression for the start of the names of the modules.
    """

    def __init__(self, modules: str) -> None:
        self._modules, self._lock, self._count = modules, threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._count:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.filterwarnings("ignore", module=self._modules)
            self._count += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._count -= 1
            if not self._count:
                self._saved.__exit__(None, None, None)


def available_cpu_count() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
