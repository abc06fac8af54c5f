"""Dynamic batching: rows of many requests go through the model together."""

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future


class Batcher:
    """Threads that answer rows, as many together as wait.

    Nothing is waited for on purpose: a single request goes at once, and while it is worked on others gather, so batches grow with
    the load.

    Args:
        functions: kind -> function(list of rows) -> as many answers. They are called in
            several threads at once.
        most: kind -> rows at most in a batch.
        most_rows: that may wait; ``submit`` blocks beyond.
        measured: function(kind, rows, seconds), called after each batch.
        threads: how many.

    Example:
        >>> batcher = Batcher({"double": lambda rows: [2 * row for row in rows]}, {"double": 4})
        >>> batcher.submit("double", [1, 2, 3]).result()
        [2, 4, 6]
    """

    def __init__(
        self,
        functions: dict[str, Callable],
        most: dict[str, int],
        most_rows: int = 1024,
        measured=None,
        threads: int = 1,
    ):
        self._functions, self._most, self._most_rows = functions, most, most_rows
        self._measured = measured or (lambda *_: None)
        self._jobs, self._changed, self._closed, self._answering = (
            [],
            threading.Condition(),
            False,
            threading.Lock(),
        )
        self._threads = [
            threading.Thread(target=self._run, name=f"model{k}", daemon=True)
            for k in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Rows that wait."""
        return sum(len(job.rows) - job.taken for job in list(self._jobs) if job.open)

    def submit(self, kind: str, rows: list) -> Future:
        """The answers to rows, in order, when they are there; none at once for no rows.

        A future that is cancelled before its turn costs nothing.

        Raises:
            RuntimeError: closed.
        """
        job = _Job(kind, rows)
        if not rows:
            job.future.set_result([])
            return job.future
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._closed or not self._jobs or self.waiting + len(rows) <= self._most_rows
                )
            )
            if self._closed:
                raise RuntimeError("the server is stopping")
            self._jobs.append(job)
            self._changed.notify_all()
        return job.future

    def warm_up(self, rows: dict):
        """Run every function once with one row and once with a full batch, so that no request waits for a tracing.

        Args:
            rows: kind -> a row.
        """
        for kind, row in rows.items():
            for count in (1, self._most[kind]):
                self.submit(kind, [row] * count).result()

    def close(self):
        """Answer what waits, then end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._closed)
                kind, taken = self._take()
                self._changed.notify_all()
            if taken:
                self._answer(kind, taken)
            elif self._closed:
                return

    def _take(self):
        """The next batch: the kind of the oldest job, and (job, number of its row) for each row."""
        self._jobs = [job for job in self._jobs if job.open]
        if not self._jobs:
            return None, []
        kind = self._jobs[0].kind
        jobs = (job for job in self._jobs if job.kind == kind and job.begin())
        rows = ((job, number) for job in jobs for number in range(job.taken, len(job.rows)))
        taken = list(itertools.islice(rows, self._most[kind]))
        for job, number in taken:
            job.taken = number + 1
        return kind, taken

    def _answer(self, kind, taken):
        started = time.perf_counter()
        rows = [job.rows[number] for job, number in taken]
        try:
            answers = self._functions[kind](rows)
        except Exception as error:  # told to whoever waits; the thread goes on
            with self._answering:
                for job in {id(job): job for job, _ in taken}.values():
                    job.fail(error)
            return
        self._measured(kind, len(rows), time.perf_counter() - started)
        with self._answering:  # a job's rows may have gone to several threads
            for (job, number), answer in zip(taken, answers, strict=True):
                job.answer(number, answer)


class _Job:
    """The rows of one request, and the answers there are."""

    def __init__(self, kind, rows):
        self.kind, self.rows, self.taken, self.future = kind, rows, 0, Future()
        self._answers, self._missing = [None] * len(rows), len(rows)

    @property
    def open(self):
        """Whether rows are left and somebody waits for them."""
        return self.taken < len(self.rows) and not self.future.cancelled()

    def begin(self):
        """Its turn has come, and it cannot be cancelled any more; False if it was."""
        return self.future.running() or self.future.set_running_or_notify_cancel()

    def answer(self, number, answer):
        self._answers[number] = answer
        self._missing -= 1
        if not self._missing and not self.future.done():
            self.future.set_result(self._answers)

    def fail(self, error):
        self.taken = len(self.rows)
        if not self.future.done():
            self.future.set_exception(error)
