"""This process: its modules, its standard error and the cores that it may use."""

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any


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


def available_cpu_count() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
