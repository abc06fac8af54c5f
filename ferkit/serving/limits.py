"""Limits of one server, so that no request and no number of requests can exhaust it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is refused, and how long the server waits.

    Attributes:
        bytes: size of an uploaded photo.
        pixels: size of a photo, read from its header before it is decoded.
        pixels_in_flight: pixels of all photos that are decoded at the same time; further photos
            wait. One photo may have more.
        faces: faces answered per photo, highest detection score first; the others are counted.
        explained_faces: the same for explanations, which cost more.
        waiting: requests in progress or waiting; further ones get status 429.
        waiting_bytes: total size of all photos being received or waiting; beyond it, status 429.
        connections: open connections; beyond it, status 503.
        header_seconds: time for a client to send a request's headers.
        upload_seconds: time for a client to send a request's body.
        seconds: time from the end of the body to the answer; then status 503.
        drain_seconds: how long a refused body is still received and dropped, so that the client
            can read the answer.
        read_seconds: time for a client to continue reading an answer.
        batch: maximum number of faces in a batch of the model.
        readers: threads that decode photos and detect faces.
    """

    bytes: int = 10_000_000
    pixels: int = 40_000_000
    pixels_in_flight: int = 40_000_000
    faces: int = 100
    explained_faces: int = 12
    waiting: int = 256
    waiting_bytes: int = 256_000_000
    connections: int = 2000
    header_seconds: float = 10.0
    upload_seconds: float = 20.0
    seconds: float = 30.0
    drain_seconds: float = 3.0
    read_seconds: float = 20.0
    batch: int = 32
    readers: int = 2
