"""uvicorn's HTTP/1.1 protocol with time limits, and with refusals in JSON.

uvicorn has no public way to limit the time for headers, slow readers and unread bodies, or to
change the answer to a malformed request. This file is the only one that uses its protocol class.
"""

import asyncio
import json
import socket

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ferkit.serving.limits import Limits

PHRASES = {400: "Bad Request", 408: "Request Timeout", 503: "Service Unavailable"}
MAX_HEADER_BYTES = 65_536


def connection_class(limits: Limits) -> type[HttpToolsProtocol]:
    """The protocol class with these limits."""
    return type("LimitedConnection", (Connection,), {"limits": limits})


class Connection(HttpToolsProtocol):
    """One connection: limits the time for headers, for reading answers and for refused bodies."""

    limits = Limits()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a TCP server has nothing else
        super().connection_made(transport)
        # asyncio does this only for sockets made with a protocol number; without it, each answer
        # waits 40 ms for an ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._in_headers, self._header_bytes = False, 0
        if len(self.connections) > self.limits.connections:
            self._refuse(503, "too many connections; try again in a second.")
        else:
            self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():  # refused: the rest is ignored
            return
        super().data_received(data)
        if self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._refuse(400, f"more than {MAX_HEADER_BYTES:,} bytes of headers.")

    # ---- what is waited for ----

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_headers, self._header_bytes = True, 0
        self._await_headers()

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        # If the request is answered already, the rest of its body is received for a while.
        if self.cycle.response_complete and self._timer is None:
            self._timer = self.loop.call_later(self.limits.drain_seconds, self.transport.abort)

    def on_message_complete(self) -> None:
        self._stop_timer()
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.limits.read_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()

    def _await_headers(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.limits.header_seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._refuse(
            408, f"the request's headers did not arrive within {self.limits.header_seconds:g} s."
        )

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    # ---- refusals before the application is reached

    def send_400_response(self, msg: str) -> None:
        """Answer a request that cannot be parsed; uvicorn calls this."""
        self._refuse(400, "this is not an HTTP/1.1 request.")

    def _refuse(self, status: int, message: str) -> None:
        content = json.dumps({"error": message}, separators=(",", ":")).encode() + b"\n"
        head = (
            f"HTTP/1.1 {status} {PHRASES[status]}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(content)}\r\nconnection: close\r\n"
            "x-content-type-options: nosniff\r\ncache-control: no-store\r\n\r\n"
        )
        self._stop_timer()
        if not self.cycle or self.cycle.response_complete:  # otherwise an answer is in progress
            self.transport.write(head.encode() + content)
        self.transport.close()
