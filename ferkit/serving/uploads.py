"""The photo in a request's body: raw bytes, or the field `file` of a form; in memory only, and never more than the limits."""

import asyncio
import contextlib

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from ferkit.serving.limits import Limits
from ferkit.serving.responses import ClientGoneError, RequestError

FIELD = "file"
FORM = "multipart/form-data"
ROOM_FOR_FORM = 20_000  # bytes that a form may add to its photo
MOST_PARTS = 20
HOW = "send a photo as the body (Content-Type: image/jpeg, for example), or as the field `file` of a multipart form"


class Intake:
    """Takes bodies in, so many bytes at most at a time.

    Args:
        limits: of bytes and seconds.
    """

    def __init__(self, limits: Limits):
        self.limits, self.held = limits, 0

    @contextlib.asynccontextmanager
    async def photo(self, request):
        """The photo's bytes, counted as held until the block ends.

        Args:
            request: a Starlette request whose body was not touched.

        Raises:
            RequestError: 400 empty or no such field, 408 too slow, 413 too large, 415 another content type, 429 too many at once.
            ClientGoneError: the connection was closed.
        """
        body = _Body(request)
        try:
            boundary = _boundary(request.headers.get("content-type", ""))
            allowed = self.limits.bytes + (ROOM_FOR_FORM if boundary else 0)
            self._check_announced(request.headers.get("content-length"), allowed)
            content = await self._all(body, allowed)
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

    async def refuse(self, request, problem: RequestError):
        """Raise a problem after its body was let through, so that the client reads the answer and not a broken pipe."""
        problem.close = not await _Body(request).drop(self.limits.drain_seconds)
        raise problem

    def _check_announced(self, length, allowed):
        if length is not None and int(length) > allowed:
            raise _too_large(self.limits.bytes)

    async def _all(self, body, allowed):
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
        count: bytes received so far, but for dropped ones.
    """

    def __init__(self, request):
        self._receive, self.count, self._more = request.receive, 0, True
        self._waits_for_consent = request.headers.get("expect", "").lower() == "100-continue"

    async def __aiter__(self):
        while self._more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            self._more = message.get("more_body", False)
            chunk = message.get("body", b"")
            self.count += len(chunk)
            if chunk:
                yield chunk

    async def drop(self, seconds):
        """Take in the rest, for so long at most, and forget it; a client that waits for "100 Continue" sends none.

        Returns:
            Whether all of it came.
        """
        if self._more and not (self._waits_for_consent and not self.count):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    async for _ in self:
                        pass
        return not self._more


def _boundary(content_type):
    """The boundary of a form, or None where the body itself is the photo."""
    kind, options = parse_options_header(content_type)
    kind = kind.decode("latin-1").lower()
    if kind == FORM:
        boundary = options.get(b"boundary")
        if not boundary:
            raise RequestError(
                400,
                "multipart without a boundary in its Content-Type; let your HTTP client set that header.",
            )
        return boundary
    if not kind or kind == "application/octet-stream" or kind.startswith("image/"):
        return None
    raise RequestError(415, f"this Content-Type is not taken; {HOW}.")


def form_file(content: bytes, boundary: bytes) -> bytes:
    """The field `file` of a form.

    Raises:
        RequestError: 400: no form, no such field, or several of them.
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
            f"the form has {len(reader.files) or 'no'} fields named `{FIELD}`; send one photo a request.",
        )
    return b"".join(reader.files[0])


class _FormReader:
    """Listens to the parser, and keeps the parts named `file`."""

    def __init__(self):
        self.files, self.ended, self._parts = [], False, 0
        self._name = self._value = b""
        self._wanted = False

    def callbacks(self):
        names = ("part_begin", "header_field", "header_value", "header_end", "part_data", "end")
        return {f"on_{name}": getattr(self, f"_{name}") for name in names}

    def _part_begin(self):
        self._parts += 1
        self._wanted = False
        if self._parts > MOST_PARTS:
            raise RequestError(
                400,
                f"the form has more than {MOST_PARTS} fields; send the photo alone, as `{FIELD}`.",
            )

    def _header_field(self, data, start, end):
        self._name += data[start:end]

    def _header_value(self, data, start, end):
        self._value += data[start:end]

    def _header_end(self):
        if self._name.lower() == b"content-disposition":
            self._wanted = parse_options_header(self._value)[1].get(b"name") == FIELD.encode()
            if self._wanted:
                self.files.append([])
        self._name = self._value = b""

    def _part_data(self, data, start, end):
        if self._wanted:
            self.files[-1].append(data[start:end])

    def _end(self):
        self.ended = True


def _too_large(most):
    return RequestError(413, f"more than {most:,} bytes; make the photo smaller.")
