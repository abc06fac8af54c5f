"""Applies a function to items in a few threads: lazily, in order, and with bounded memory."""

import collections
import sys
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ferkit.process import available_cpu_count

MAX_THREADS = 4
READ_AHEAD = 2  # items beyond those that the threads work on, so that no thread waits

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def in_order(
    work: Callable[[ItemT], ResultT], items: Iterable[ItemT], threads: int | None = None
) -> Generator[ResultT, None, None]:
    """The results of `work`, which runs in threads, in the order of the items.

    The items are taken in the thread of the caller, and only while fewer than ``threads +
    READ_AHEAD`` are unfinished. An exception of `work` or `items` is raised after the results
    before it. The threads end with the generator: after its last item, an exception, or
    ``close()``. Ctrl-C does not wait for them.

    Args:
        work: several threads call it at the same time.
        items: any number, also without end.
        threads: their number; None: the available cores, at most four.
    """
    threads = threads or min(MAX_THREADS, available_cpu_count())
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ferkit")
    running: collections.deque[Future[ResultT]] = collections.deque()
    failure: Exception | None = None
    iterator = iter(items)
    try:
        while True:
            try:
                item = next(iterator)
            except StopIteration:
                break
            except Exception as error:
                failure = error
                break
            running.append(pool.submit(work, item))
            del item  # memory: it is not needed here while the caller handles results
            while running and (running[0].done() or len(running) >= threads + READ_AHEAD):
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
        if failure:
            raise failure
    finally:
        is_interrupted = isinstance(sys.exception(), KeyboardInterrupt)
        pool.shutdown(wait=not is_interrupted, cancel_futures=True)
