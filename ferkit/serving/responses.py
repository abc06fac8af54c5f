"""Requests that cannot be answered as asked: a status code and one line of JSON."""

import json

from starlette.responses import Response


class RequestError(Exception):
    """What is wrong with a request.

    Args:
        status: the HTTP status code.
        words: one line: what is wrong, what was received, what to do.

    Attributes:
        close: whether the connection ends with the answer, since a part of the request is still under way.
    """

    close = False

    def __init__(self, status: int, words: str):
        super().__init__(words)
        self.status, self.words = status, words


class ClientGoneError(Exception):
    """The client closed the connection: there is nobody to answer."""


def json_response(content, status: int = 200) -> Response:
    """An answer as one line of JSON."""
    line = json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"
    return Response(line.encode("utf-8", "replace"), status, media_type="application/json")


def problem_response(status: int, words: str, close: bool = False) -> Response:
    """A refusal as one line of JSON, {"error": words}; 429 and 503 ask the client to come back in a second."""
    response = json_response({"error": " ".join(words.split())}, status)
    if status in (429, 503):
        response.headers["Retry-After"] = "1"
    if close:
        response.headers["Connection"] = "close"
    return response
