"""A connection that waits for nobody for ever, and whose own refusals are JSON too."""

import json
import socket

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ferkit.serving.limits import Limits

PHRASES = {400: "Bad Request", 408: "Request Timeout", 503: "Service Unavailable"}
MOST_HEADER_BYTES = 65_536


def connection_class(limits: Limits) -> type:
    """uvicorn's HTTP/1.1 protocol with these limits on headers, slow readers, bodies that nobody wants, and their number."""
    return type("LimitedConnection", (Connection,), {"limits": limits})


class Connection(HttpToolsProtocol):
    """See ``connection_class``."""

    limits = Limits()

    def connection_made(self, transport):
        super().connection_made(transport)
        # asyncio does this for sockets that were made with a protocol number only; without, each answer waits 40 ms for an ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._timer = self._write_timer = None
        self._in_headers, self._header_bytes = False, 0
        if len(self.connections) > self.limits.connections:
            self._refuse(503, "too many connections; try again in a second.")
        else:
            self._await_headers()

    def connection_lost(self, exc):
        self._stop_timer()
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data):
        if self.transport.is_closing():  # refused; the rest is not looked at
            return
        super().data_received(data)
        if self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > MOST_HEADER_BYTES:
                self._refuse(400, f"more than {MOST_HEADER_BYTES:,} bytes of headers.")

    # ---- what is waited for -------------------------------------------------------------------------------------------------

    def on_message_begin(self):
        super().on_message_begin()
        self._in_headers, self._header_bytes = True, 0
        self._await_headers()

    def on_headers_complete(self):
        self._in_headers = False
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body):
        super().on_body(body)
        if (
            self.cycle.response_complete and self._timer is None
        ):  # answered already: the rest is let through for a while
            self._timer = self.loop.call_later(self.limits.drain_seconds, self.transport.abort)

    def on_message_complete(self):
        self._stop_timer()
        super().on_message_complete()

    def pause_writing(self):
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.limits.read_seconds, self.transport.abort)

    def resume_writing(self):
        super().resume_writing()
        self._write_timer.cancel()

    def _await_headers(self):
        if self._timer is None:
            self._timer = self.loop.call_later(self.limits.header_seconds, self._too_slow)

    def _too_slow(self):
        self._refuse(
            408, f"the request's headers did not arrive within {self.limits.header_seconds:g} s."
        )

    def _stop_timer(self):
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    # ---- refusals that reach no application ---------------------------------------------------------------------------------

    def send_400_response(self, msg):
        """What cannot be parsed; uvicorn's name for it."""
        self._refuse(400, "this is no HTTP/1.1 request.")

    def _refuse(self, status, words):
        content = json.dumps({"error": words}, separators=(",", ":")).encode() + b"\n"
        head = (
            f"HTTP/1.1 {status} {PHRASES[status]}\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n"
            "connection: close\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\n\r\n"
        )
        self._stop_timer()
        if not self.cycle or self.cycle.response_complete:  # else an answer is under way
            self.transport.write(head.encode() + content)
        self.transport.close()
