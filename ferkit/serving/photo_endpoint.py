"""Answers the requests that send a photo, as plain ASGI.

FastAPI describes these paths in the API's documentation but does not answer them: its layers double
the event loop's work for a request (measured: 147 instead of 74 microseconds).
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ferkit.recognition import DETECTORS
from ferkit.serving.middleware import CLIENT_GONE
from ferkit.serving.responses import (
    ClientGoneError,
    RequestError,
    check_parameters,
    json_response,
    problem_response,
)
from ferkit.serving.service import GRAD_CAM, METHODS, OCCLUSION, Service, Task
from ferkit.serving.uploads import Uploads


def detector_choices(own: str) -> tuple[str, ...]:
    """The detectors that a request may name: those built in, and the server's own."""
    return tuple(dict.fromkeys((*DETECTORS, own)))


PARAMETERS = {"predict": ("detector",), "explain": ("detector", "class", "method")}


class PhotoEndpoint:
    """ASGI application for one path.

    Args:
        kind: "predict" or "explain".
        service: answers tasks.
        uploads: reads photos; shared by all paths, so that its limits are those of the server.
        detector: used unless a request names another one.
    """

    def __init__(self, kind: str, service: Service, uploads: Uploads, detector: str) -> None:
        self.kind, self.service = kind, service
        self.uploads, self.detector = uploads, detector

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            response = await self._answer(Request(scope, receive))
        except RequestError as problem:
            response = problem_response(problem.status, problem.message, problem.close)
        except ClientGoneError:
            response = Response(status_code=CLIENT_GONE)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            self.service.check_capacity()
            parameters = self._parameters(request)
        except RequestError as problem:
            await self.uploads.refuse(request, problem)
        async with self.uploads.photo(request) as content:
            task = Task(content, self.kind, *parameters)
            del content
            return json_response(await _unless_gone(request, self.service.answer(task)))

    def _parameters(self, request: Request) -> tuple[str, str | None, str]:
        """The detector, the class and the method of a request's query.

        Raises:
            RequestError: 422: an unknown name or value; the message never quotes it.
        """
        check_parameters(request, PARAMETERS[self.kind])
        detector = request.query_params.get("detector", self.detector)
        choices = detector_choices(self.detector)
        if detector not in choices:
            raise RequestError(422, f"detector: unknown; choose from {', '.join(choices)}.")
        if self.kind == "predict":
            return detector, None, OCCLUSION
        class_name = request.query_params.get("class")
        class_names = self.service.recognizer.class_names
        if class_name is not None and class_name not in class_names:
            names = ", ".join(class_names)
            raise RequestError(422, f"class: not a class of this model; it has: {names}.")
        method = request.query_params.get("method", OCCLUSION)
        if method not in METHODS:
            raise RequestError(422, f"method: unknown; choose from {', '.join(METHODS)}.")
        if method == GRAD_CAM and self.service.recognizer.runtime.name != "keras":
            problem = f"method: {GRAD_CAM} needs a server that was started with --runtime keras."
            raise RequestError(422, problem)
        return detector, class_name, method


async def _unless_gone(request: Request, work: Coroutine[Any, Any, dict]) -> dict:
    """The result of `work`, which is canceled when the client closes the connection.

    Raises:
        ClientGoneError: the client closed the connection.
    """
    task, gone = asyncio.current_task(), False

    async def watch() -> None:
        nonlocal gone
        await request.receive()  # the body has arrived: the next message is the end
        gone = True
        if task is not None:
            task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if not gone or task is None:
            raise
        task.uncancel()
        raise ClientGoneError from None
    finally:
        watcher.cancel()
