"""How much of anything one server takes, so that no request and no crowd of them can exhaust it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is refused, and what is waited for.

    Attributes:
        bytes: of one photo as sent.
        pixels: of one photo, told by its header before it is decoded.
        faces: answered of one photo, the surest first; the others are counted.
        explained_faces: the same for explanations, which cost more.
        waiting: requests that wait or are worked on; one more is answered 429.
        waiting_bytes: of all photos that are being received or wait, together; beyond, 429.
        connections: open at once; beyond, 503.
        header_seconds: a client may take to send a request's headers.
        upload_seconds: and its body.
        seconds: from the body's end to the answer; then 503.
        drain_seconds: a refused body is still taken in and dropped for so long, so that its sender gets to read the answer.
        read_seconds: a client may take until it reads on.
        batch: faces at most that go through the model together.
        readers: threads that decode photos and find faces.
    """

    bytes: int = 10_000_000
    pixels: int = 40_000_000
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
