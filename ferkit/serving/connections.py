"""Deadlines for connections: a protocol of our own between the network and uvicorn's.

uvicorn limits the bytes of headers and trailers, but neither the time until a request has arrived
nor that for reading an answer. Only the public interfaces are used: `asyncio.Protocol`, uvicorn's
option `http`, and the state of an ASGI scope.
"""

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

from ferkit.serving.limits import Limits

STATE = "connection"  # the key in an ASGI scope's state
PHRASES = {408: "Request Timeout", 503: "Service Unavailable"}


def limited(
    protocol: Callable[..., asyncio.Protocol], limits: Limits
) -> Callable[..., asyncio.Protocol]:
    """What uvicorn's option `http` accepts: makes each connection a limited one.

    Args:
        protocol: one of uvicorn's protocols, which reads and writes HTTP.
        limits: limits of the server.
    """
    connections: set[Connection] = set()

    def make(**arguments: Any) -> asyncio.Protocol:
        connection = Connection(limits, connections)
        arguments["app_state"] = {**arguments["app_state"], STATE: connection}
        connection.http = protocol(**arguments)
        return connection

    return make


class Connection(asyncio.Protocol):
    """One connection, which is closed when its client lets the server wait.

    Without a request in progress it lives for `header_seconds`, whatever arrives: the next request
    must be complete up to its body by then. While a request is in progress, the application
    limits the time. Sending is limited to `read_seconds` without progress.

    Attributes:
        http: uvicorn's protocol, which receives everything.
    """

    http: asyncio.Protocol

    def __init__(self, limits: Limits, connections: set["Connection"]) -> None:
        self._limits, self._connections = limits, connections
        self._requests, self._answered, self._refused = 0, False, False
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None

    # ---- what the application reports

    def request_started(self) -> None:
        """The headers have arrived, and the application answers."""
        self._requests += 1
        _cancel(self._deadline)

    def request_ended(self) -> None:
        """The application has answered."""
        self._requests -= 1
        self._answered = True
        if not self._requests and self in self._connections:
            self._close_after(self._limits.header_seconds, self._too_slow)

    @property
    def is_closing(self) -> bool:
        """Whether nothing more can be sent."""
        return self._transport.is_closing()

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP
        """Begin to wait for the first request, or refuse the connection."""
        self._transport = transport
        # asyncio does this only for sockets made with a protocol number; without it, each answer
        # waits 40 ms for an ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.add(self)
        self._refused = len(self._connections) > self._limits.connections
        if self._refused:
            self._refuse(503, "too many connections; try again in a second.")
        else:
            self.http.connection_made(transport)
            self._close_after(self._limits.header_seconds, self._too_slow)

    def data_received(self, data: bytes) -> None:
        """Pass bytes on; what uvicorn cannot answer any more closes the connection."""
        try:
            self.http.data_received(data)
        except Exception:  # an invalid request behind an answer in progress
            self._transport.abort()

    def eof_received(self) -> bool | None:
        """Pass the client's end on."""
        return self.http.eof_received()

    def pause_writing(self) -> None:
        """The client reads too slowly: wait for it, but not for ever."""
        self.http.pause_writing()
        self._write_deadline = asyncio.get_running_loop().call_later(
            self._limits.read_seconds, self._transport.abort
        )

    def resume_writing(self) -> None:
        """The client has read on."""
        self.http.resume_writing()
        _cancel(self._write_deadline)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._connections.discard(self)
        _cancel(self._deadline)
        _cancel(self._write_deadline)
        if not self._refused:
            self.http.connection_lost(exc)

    # ---- the end

    def _too_slow(self) -> None:
        if self._transport.is_closing():  # the client does not read the last answer
            self._transport.abort()
        elif self._answered:  # a client could take a 408 for the answer to its next request
            self._close()
        else:
            seconds = self._limits.header_seconds
            self._refuse(408, f"the request's headers did not arrive within {seconds:g} s.")

    def _close(self) -> None:
        self._transport.close()
        self._close_after(self._limits.read_seconds, self._transport.abort)

    def _refuse(self, status: int, message: str) -> None:
        content = json.dumps({"error": message}, separators=(",", ":")).encode() + b"\n"
        head = (
            f"HTTP/1.1 {status} {PHRASES[status]}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(content)}\r\nconnection: close\r\n"
            "x-content-type-options: nosniff\r\ncache-control: no-store\r\n\r\n"
        )
        self._transport.write(head.encode() + content)
        self._close()

    def _close_after(self, seconds: float, close: Callable[[], None]) -> None:
        _cancel(self._deadline)
        self._deadline = asyncio.get_running_loop().call_later(seconds, close)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
