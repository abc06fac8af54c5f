"""A connection that waits for nobody for ever, and whose own refusals are JSON too."""

import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .limits import Limits

PHRASES = {400: "Bad Request", 408: "Request Timeout", 503: "Service Unavailable"}


def connection_class(limits: Limits) -> type:
    """uvicorn's HTTP/1.1 protocol with these limits on connections, on slow headers, on slow readers, and on bodies that nobody
    wants."""
    return type("LimitedConnection", (Connection,), {"limits": limits})


class Connection(H11Protocol):
    """See ``connection_class``."""

    limits = Limits()

    def connection_made(self, transport):
        super().connection_made(transport)
        self._timer = self._write_timer = None
        if len(self.connections) > self.limits.connections:
            self._refuse(503, "too many connections; try again in a second.")
        else:
            self._watch()

    def data_received(self, data):
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc):
        self._timer, self._write_timer = _stopped(self._timer), _stopped(self._write_timer)
        super().connection_lost(exc)

    def pause_writing(self):
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.limits.read_seconds, self.transport.abort)

    def resume_writing(self):
        super().resume_writing()
        self._write_timer = _stopped(self._write_timer)

    def send_400_response(self, msg):
        """What h11 cannot parse; uvicorn's name for it."""
        self._refuse(400, "this is no HTTP/1.1 request.")

    def _watch(self):
        """A timer runs while headers are under way, and while a body comes in that was answered already."""
        unfinished = self.conn.their_state is h11.IDLE
        unwanted = self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE
        if not (unfinished or unwanted) or self.transport.is_closing():
            self._timer = _stopped(self._timer)
        elif self._timer is None:
            seconds = self.limits.header_seconds if unfinished else self.limits.drain_seconds
            self._timer = self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self):
        self._timer = None
        if self.conn.their_state is h11.IDLE and self.conn.our_state is h11.IDLE and not self.transport.is_closing():
            self._refuse(408, f"the request's headers did not arrive within {self.limits.header_seconds:g} s.")
        elif self.conn.our_state is h11.DONE:
            self.transport.abort()

    def _refuse(self, status, words):
        content = json.dumps({"error": words}, separators=(",", ":")).encode() + b"\n"
        head = (
            f"HTTP/1.1 {status} {PHRASES[status]}\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n"
            "connection: close\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\n\r\n"
        )
        if not self.cycle or self.cycle.response_complete:  # else an answer is under way
            self.transport.write(head.encode() + content)
        self.transport.close()


def _stopped(timer):
    if timer is not None:
        timer.cancel()
