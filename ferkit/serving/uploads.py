"""Reads the photo in a request's body: raw bytes, or the field `file` of a form.

Photos are kept in memory only, and within the limits.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, NoReturn

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from ferkit.serving.limits import Limits
from ferkit.serving.responses import ClientGoneError, RequestError

FIELD = "file"
FORM = "multipart/form-data"
FORM_OVERHEAD = 20_000  # bytes that a form may add to its photo
MAX_PARTS = 20
HOW = (
    "send a photo as the body (Content-Type: image/jpeg, for example), or as the field `file` of a "
    "multipart form"
)


class Uploads:
    """Reads request bodies within the limits on bytes and seconds.

    Attributes:
        held: bytes of all bodies that are being received or used.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits, self.held = limits, 0

    @contextlib.asynccontextmanager
    async def photo(self, request: Request) -> AsyncIterator[bytes]:
        """The photo's bytes, counted in `held` until the block ends.

        Args:
            request: a request whose body has not been read.

        Raises:
            RequestError: 400 empty or no such field, 408 too slow, 413 too large, 415 wrong content
                type, 429 too many at once.
            ClientGoneError: the connection was closed.
        """
        body = _Body(request)
        try:
            boundary = _boundary(request.headers.get("content-type", ""))
            allowed = self.limits.bytes + (FORM_OVERHEAD if boundary else 0)
            self._check_content_length(request.headers.get("content-length"), allowed)
            content = await self._read(body, allowed)
        except RequestError as problem:
            self.held -= body.count
            problem.close = not await body.drop(self.limits.drain_seconds)
            raise
        except BaseException:
            self.held -= body.count
            raise
        try:
            photo = form_file(content, boundary) if boundary else content
            del content
            if not photo:
                raise RequestError(400, f"empty: 0 bytes; {HOW}.")
            if len(photo) > self.limits.bytes:
                raise _too_large(self.limits.bytes)
            yield photo
        finally:
            self.held -= body.count

    async def refuse(self, request: Request, problem: RequestError) -> NoReturn:
        """Raise a problem after dropping the body, so that the client can read the answer."""
        problem.close = not await _Body(request).drop(self.limits.drain_seconds)
        raise problem

    def _check_content_length(self, length: str | None, allowed: int) -> None:
        if length is not None and int(length) > allowed:
            raise _too_large(self.limits.bytes)

    async def _read(self, body: "_Body", allowed: int) -> bytes:
        chunks = []
        try:
            async with asyncio.timeout(self.limits.upload_seconds):
                async for chunk in body:
                    self.held += len(chunk)
                    if body.count > allowed:
                        raise _too_large(self.limits.bytes)
                    if self.held > self.limits.waiting_bytes:
                        raise RequestError(
                            429, "too many photos are being received; try again in a second."
                        )
                    chunks.append(chunk)
        except TimeoutError as error:
            raise RequestError(
                408,
                f"the photo did not arrive within {self.limits.upload_seconds:g} s; send it again.",
            ) from error
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class _Body:
    """A request's body, chunk by chunk.

    Attributes:
        count: bytes received so far.
    """

    def __init__(self, request: Request) -> None:
        self._receive, self.count, self._more = request.receive, 0, True
        self._expects_continue = request.headers.get("expect", "").lower() == "100-continue"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            self._more = message.get("more_body", False)
            chunk = message.get("body", b"")
            self.count += len(chunk)
            if chunk:
                yield chunk

    async def drop(self, seconds: float) -> bool:
        """Receive and discard the rest for up to `seconds`.

        A client that waits for "100 Continue" has sent none.

        Returns:
            Whether the complete body was received.
        """
        if self._more and not (self._expects_continue and not self.count):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    async for _ in self:
                        pass
        return not self._more


def _boundary(content_type: str) -> bytes | None:
    """The boundary of a form, or None if the body itself is the photo."""
    raw_kind, options = parse_options_header(content_type)
    kind = raw_kind.decode("latin-1").lower()
    if kind == FORM:
        boundary = options.get(b"boundary")
        if not boundary:
            raise RequestError(
                400,
                "the multipart Content-Type has no boundary; let your HTTP client set that header.",
            )
        return boundary
    if not kind or kind == "application/octet-stream" or kind.startswith("image/"):
        return None
    raise RequestError(415, f"this Content-Type is not supported; {HOW}.")


def form_file(content: bytes, boundary: bytes) -> bytes:
    """The field `file` of a form.

    Raises:
        RequestError: 400: not a form, no such field, or several of them.
    """
    reader = _FormReader()
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        parser.write(content)
        parser.finalize()
    except FormParserError as error:
        raise RequestError(400, f"the multipart form is damaged; {HOW}.") from error
    if not reader.ended:
        raise RequestError(400, "the multipart form is cut off before its end; send it again.")
    if len(reader.files) != 1:
        raise RequestError(
            400,
            f"the form has {len(reader.files) or 'no'} fields named `{FIELD}`; "
            "send one photo per request.",
        )
    return b"".join(reader.files[0])


class _FormReader:
    """Callbacks of the form parser; keeps the parts named `file`."""

    def __init__(self) -> None:
        self.files: list[list[bytes]] = []
        self.ended, self._parts = False, 0
        self._name = self._value = b""
        self._in_file = False

    def callbacks(self) -> Any:
        names = ("part_begin", "header_field", "header_value", "header_end", "part_data", "end")
        return {f"on_{name}": getattr(self, f"_{name}") for name in names}

    def _part_begin(self) -> None:
        self._parts += 1
        self._in_file = False
        if self._parts > MAX_PARTS:
            raise RequestError(
                400,
                f"the form has more than {MAX_PARTS} fields; send the photo alone, as `{FIELD}`.",
            )

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._in_file = parse_options_header(self._value)[1].get(b"name") == FIELD.encode()
            if self._in_file:
                self.files.append([])
        self._name = self._value = b""

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self.files[-1].append(data[start:end])

    def _end(self) -> None:
        self.ended = True


def _too_large(limit: int) -> RequestError:
    return RequestError(413, f"more than {limit:,} bytes; send a smaller photo.")
