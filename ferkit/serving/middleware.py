"""Middleware for every request: host and origin checks, security headers, JSON errors, metrics."""

import functools
import ipaddress
import logging
import socket
import time
import traceback
from collections.abc import Iterable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ferkit.serving.connections import STATE, Connection
from ferkit.serving.prometheus import Metrics
from ferkit.serving.responses import problem_response

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; media-src 'self' blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
FAILED = "internal server error; the request was not answered."
CLIENT_GONE = 499  # only counted; never sent
log = logging.getLogger("ferkit.serving")


class Guard:
    """ASGI middleware that protects the application. It needs a `connections.Connection`.

    Pages of other sites that the user has open must not use this server. Requests with a foreign
    Origin are refused, no CORS header is ever sent, and the Host must be an address or a known
    name, so that a foreign name cannot be pointed at this server (DNS rebinding).

    Args:
        app: the application.
        endpoints: path -> the application that answers POST requests to it, instead of `app`.
        paths: all paths, by which requests are counted.
        metrics: counts requests.
        host_names: names of this server, besides localhost and the machine's name.
    """

    def __init__(
        self,
        app: ASGIApp,
        endpoints: Mapping[str, ASGIApp],
        paths: Iterable[str],
        metrics: Metrics,
        host_names: Iterable[str] = (),
    ) -> None:
        self.app, self._endpoints = app, endpoints
        self._paths, self._metrics = frozenset(paths), metrics
        known = ("localhost", socket.gethostname(), *host_names)
        self._names = {name.lower() for name in known}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        connection: Connection = scope["state"][STATE]
        connection.request_started()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(pair for pair in _HEADERS if pair[0] not in present),
                ]
            await send(message)

        try:
            answer = self._refusal(scope) or self._application(scope)
            await answer(scope, receive, send_with_headers)
        except Exception as error:
            if connection.is_closing:  # the client has gone
                status = CLIENT_GONE
                return
            _log(error)
            if not status:
                await problem_response(500, FAILED)(scope, receive, send_with_headers)
        finally:
            connection.request_ended()
            self._metrics.request(
                self._path(scope), status or CLIENT_GONE, time.perf_counter() - started
            )

    def _application(self, scope: Scope) -> ASGIApp:
        if scope["method"] != "POST":
            return self.app
        return self._endpoints.get(scope["path"], self.app)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._is_known(host):
            return problem_response(
                421,
                "this Host is not a name of this server; add it with --allow-host NAME.",
            )
        if scope["method"] in ("GET", "HEAD"):
            return None
        site, origin = (
            headers.get(b"sec-fetch-site"),
            headers.get(b"origin", b"").decode("latin-1").lower(),
        )
        if site not in (None, b"same-origin", b"none") or (
            origin and origin.partition("://")[2] != host
        ):
            return problem_response(403, "requests from another site's pages are refused.")
        return None

    def _is_known(self, host: str) -> bool:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        return name in self._names or _is_address(name.strip("[]"))

    def _path(self, scope: Scope) -> str:
        return scope["path"] if scope["path"] in self._paths else "other"


@functools.lru_cache(maxsize=256)
def _is_address(name: str) -> bool:
    try:
        return ipaddress.ip_address(name) is not None
    except ValueError:
        return False


def _log(error: Exception) -> None:
    """Log the type of an error and where it was raised.

    Never the request, whose content is private, nor the error's message, which may quote it.
    """
    frame = traceback.extract_tb(error.__traceback__)[-1]
    log.error(
        "error: a request failed: %s in %s:%d", type(error).__name__, frame.filename, frame.lineno
    )
