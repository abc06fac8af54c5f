"""Dynamic batching: rows of many requests go through the model together."""

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

BatchFunction = Callable[[list[Any]], Sequence[Any]]


class Batcher:
    """Threads that process rows, as many together as are waiting.

    There is no artificial delay: a single request is processed at once, and others gather
    meanwhile, so batches grow with the load.

    Args:
        functions: kind -> function(list of rows) -> one answer per row. Several threads call
            them at the same time.
        max_batch: kind -> maximum number of rows in a batch.
        max_rows: maximum number of waiting rows; ``submit`` blocks beyond it.
        measured: function(kind, rows, seconds), called after each batch.
        threads: number of threads.

    Example:
        >>> batcher = Batcher({"double": lambda rows: [2 * row for row in rows]}, {"double": 4})
        >>> batcher.submit("double", [1, 2, 3]).result()
        [2, 4, 6]
    """

    def __init__(
        self,
        functions: Mapping[str, BatchFunction],
        max_batch: Mapping[str, int],
        max_rows: int = 1024,
        measured: Callable[[str, int, float], None] | None = None,
        threads: int = 1,
    ) -> None:
        self._functions, self._max_batch, self._max_rows = functions, max_batch, max_rows
        self._measured = measured or (lambda *_: None)
        self._jobs: list[_Job] = []
        self._changed, self._answering = threading.Condition(), threading.Lock()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"model{k}", daemon=True)
            for k in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Number of waiting rows."""
        return sum(len(job.rows) - job.started for job in list(self._jobs) if job.open)

    def submit(self, kind: str, rows: list[Any]) -> Future:
        """The answers to rows, in order, as a future; at once if there are no rows.

        A future that is canceled before its turn costs nothing.

        Raises:
            RuntimeError: the batcher is closed.
        """
        job = _Job(kind, rows)
        if not rows:
            job.future.set_result([])
            return job.future
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or not self._jobs or self.waiting + len(rows) <= self._max_rows
            )
            if self._closed:
                raise RuntimeError("the server is stopping")
            self._jobs.append(job)
            self._changed.notify_all()
        return job.future

    def warm_up(self, rows: Mapping[str, Any]) -> None:
        """Run every function with one row and with a full batch, so that no request is slow.

        Args:
            rows: kind -> a row.
        """
        for kind, row in rows.items():
            for count in (1, self._max_batch[kind]):
                self.submit(kind, [row] * count).result()

    def close(self) -> None:
        """Process the waiting rows, then end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._closed)
                kind, batch = self._next_batch()
                self._changed.notify_all()
            if batch:
                self._process(kind, batch)
            elif self._closed:
                return

    def _next_batch(self) -> tuple[str, list[tuple["_Job", int]]]:
        """The kind of the oldest job, and (job, index of its row) for each row of the batch."""
        self._jobs = [job for job in self._jobs if job.open]
        if not self._jobs:
            return "", []
        kind = self._jobs[0].kind
        jobs = (job for job in self._jobs if job.kind == kind and job.begin())
        rows = ((job, index) for job in jobs for index in range(job.started, len(job.rows)))
        batch = list(itertools.islice(rows, self._max_batch[kind]))
        for job, index in batch:
            job.started = index + 1
        return kind, batch

    def _process(self, kind: str, batch: list[tuple["_Job", int]]) -> None:
        began = time.perf_counter()
        rows = [job.rows[index] for job, index in batch]
        try:
            answers = self._functions[kind](rows)
        except Exception as error:  # reported to every waiting request; the thread continues
            with self._answering:
                for job in {id(job): job for job, _ in batch}.values():
                    job.fail(error)
            return
        self._measured(kind, len(rows), time.perf_counter() - began)
        with self._answering:  # rows of one job may be processed by several threads
            for (job, index), answer in zip(batch, answers, strict=True):
                job.answer(index, answer)


class _Job:
    """The rows of one request, and their answers so far."""

    def __init__(self, kind: str, rows: list[Any]) -> None:
        self.kind, self.rows, self.started = kind, rows, 0
        self.future: Future = Future()
        self._answers, self._missing = [None] * len(rows), len(rows)

    @property
    def open(self) -> bool:
        """Whether rows are left to start and the request still waits for them."""
        return self.started < len(self.rows) and not self.future.cancelled()

    def begin(self) -> bool:
        """Mark the job as running, after which it cannot be canceled; False if it was canceled."""
        return self.future.running() or self.future.set_running_or_notify_cancel()

    def answer(self, index: int, answer: Any) -> None:
        self._answers[index] = answer
        self._missing -= 1
        if not self._missing and not self.future.done():
            self.future.set_result(self._answers)

    def fail(self, error: Exception) -> None:
        self.started = len(self.rows)
        if not self.future.done():
            self.future.set_exception(error)
