"""Around every request: who may ask, the headers of every answer, no failure without JSON, and the counting."""

import functools
import ipaddress
import logging
import socket
import time
import traceback

from ferkit.serving.prometheus import Metrics
from ferkit.serving.responses import problem_response

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
FAILED = "this server failed; the request was not answered."
CLIENT_GONE = 499  # counted, never sent
log = logging.getLogger("ferkit.serving")


class Guard:
    """ASGI middleware.

    A page of another site that a user has open may not use this server: requests with a foreign Origin are refused, no CORS
    header is ever sent, and the Host must be an address or a known name, so that a foreign name cannot be pointed here (DNS
    rebinding).

    Args:
        app: what it guards.
        direct: path -> the application that answers POST there in its place.
        paths: the app's, by which requests are counted.
        metrics: where.
        names: of this host, beside localhost and the machine's own.
    """

    def __init__(self, app, direct, paths, metrics: Metrics, names=()):
        self.app, self._direct, self._paths, self._metrics = app, direct, frozenset(paths), metrics
        self._names = {"localhost", socket.gethostname().lower(), *(name.lower() for name in names)}

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def send_on(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(pair for pair in _HEADERS if pair[0] not in own),
                ]
            await send(message)

        try:
            refusal = self._refusal(scope)
            direct = self._direct.get(scope["path"]) if scope["method"] == "POST" else None
            await (refusal or direct or self.app)(scope, receive, send_on)
        except Exception as error:
            _log(error)
            if not status:
                await problem_response(500, FAILED)(scope, receive, send_on)
        finally:
            self._metrics.request(
                self._path(scope), status or CLIENT_GONE, time.perf_counter() - started
            )

    def _refusal(self, scope):
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._known(host):
            return problem_response(
                421,
                "this Host is no name of this server; start it with --allow-host NAME to add one.",
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

    def _known(self, host):
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        return name in self._names or _is_address(name.strip("[]"))

    def _path(self, scope):
        return scope["path"] if scope["path"] in self._paths else "other"


@functools.lru_cache(maxsize=256)
def _is_address(name):
    try:
        return ipaddress.ip_address(name) is not None
    except ValueError:
        return False


def _log(error):
    """One line: what and where. Never the request, whose content is private, nor the error's words, which may quote it."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error(
        "error: a request failed: %s in %s:%d", type(error).__name__, place.filename, place.lineno
    )
