"""What the server counts, as Prometheus reads it. No label holds anything that a client chose."""

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
    """Counters of one server.

    Attributes:
        registry: holds them all, and the process's memory, time and open files.
    """

    def __init__(self):
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
            "The model's time for a batch.",
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

    def watch(self, name: str, meaning: str, value):
        """A gauge that asks `value()` whenever it is read."""
        Gauge(name, meaning, registry=self.registry).set_function(value)

    def request(self, path: str, status: int, seconds: float):
        """A request was answered; `path` is a route's, not the one asked for."""
        self._requests.labels(path, status).inc()
        self._seconds.labels(path).observe(seconds)

    def batch(self, kind: str, faces: int, seconds: float):
        """The model answered so many faces."""
        self._faces.labels(kind).inc(faces)
        self._batch_faces.labels(kind).observe(faces)
        self._batch_seconds.labels(kind).observe(seconds)

    def as_text(self) -> bytes:
        """In Prometheus's text format."""
        return generate_latest(self.registry)
