"""Requests that cannot be answered: a status code and one line of JSON."""

import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response


class RequestError(Exception):
    """A request that is refused.

    Args:
        status: the HTTP status code.
        message: one line: what is wrong, what was received, what to do.

    Attributes:
        close: whether the connection is closed after the answer, because a part of the request has
            not been received.
    """

    close = False

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class ClientGoneError(Exception):
    """The client closed the connection, so no answer is sent."""


def check_parameters(request: Request, known: Sequence[str]) -> None:
    """Check the names in a request's query, so that a misspelled one is not ignored.

    Raises:
        RequestError: 422: an unknown name, or one that is given twice; the message never quotes it.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    if not set(names) <= set(known):
        choices = f"choose from {', '.join(known)}" if known else "this path has none"
        raise RequestError(422, f"a query parameter is unknown; {choices}.")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise RequestError(422, f"{repeated[0]}: given {names.count(repeated[0])} times; give one.")


def json_response(content: Any, status: int = 200) -> Response:
    """A response with one line of JSON."""
    line = json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"
    return Response(line.encode("utf-8", "replace"), status, media_type="application/json")


def problem_response(status: int, message: str, close: bool = False) -> Response:
    """A refusal, {"error": message}. Status 429 and 503 ask the client to retry in a second."""
    response = json_response({"error": " ".join(message.split())}, status)
    if status in (429, 503):
        response.headers["Retry-After"] = "1"
    if close:
        response.headers["Connection"] = "close"
    return response
