"""Metrics in the format of Prometheus. No label contains text from a client."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Metrics of one server.

    Attributes:
        registry: all metrics, and the process's memory, CPU time and open files.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "fer_requests",
            "Requests by path and status code.",
            ["path", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "fer_request_seconds",
            "From a request's headers to its answer.",
            ["path"],
            buckets=SECONDS,
            registry=registry,
        )
        self._faces = Counter("fer_faces", "Faces answered.", ["kind"], registry=registry)
        self._batch_seconds = Histogram(
            "fer_batch_seconds",
            "Time of the model for a batch.",
            ["kind"],
            buckets=SECONDS,
            registry=registry,
        )
        self._batch_faces = Histogram(
            "fer_batch_faces",
            "Faces in a batch.",
            ["kind"],
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=registry,
        )

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Add a gauge that calls `value` whenever it is read."""
        Gauge(name, meaning, registry=self.registry).set_function(value)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count an answered request; `path` is the route, not the requested path."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def batch(self, kind: str, faces: int, seconds: float) -> None:
        """Count a batch of faces that the model processed."""
        self._faces.labels(kind).inc(faces)
        self._batch_faces.labels(kind).observe(faces)
        self._batch_seconds.labels(kind).observe(seconds)

    def as_text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self.registry)
