"""The web application: its routes, their parameters and responses."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine, Iterable
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ferkit.recognition import DETECTORS, DetectorName
from ferkit.recognition.recognizer import UNSURE, Recognizer
from ferkit.serving.api_page import api_page
from ferkit.serving.middleware import CLIENT_GONE, FAILED, Guard
from ferkit.serving.prometheus import Metrics
from ferkit.serving.responses import (
    ClientGoneError,
    RequestError,
    json_response,
    problem_response,
)
from ferkit.serving.schema import Explanation, Models, Prediction, Refusal
from ferkit.serving.service import Service, Task
from ferkit.serving.static_pages import add_pages
from ferkit.serving.uploads import FIELD, FORM, Uploads

DESCRIPTION = (
    "Finds faces in a photo and predicts which expression people would most likely see in each. "
    "That is not what a person feels. Send only photos of people who agreed to it; photos are "
    "neither stored nor logged."
)
PROBLEMS = {
    400: "The request contains no photo.",
    403: "The request comes from a page of another site.",
    408: "The photo took too long to arrive.",
    413: "Too many bytes or pixels.",
    415: "The content type or the image format is not supported.",
    421: "The Host header is not a name of this server.",
    422: "The photo is damaged, or a parameter is wrong.",
    429: "Too many requests are waiting; try again in a second.",
    503: "The server is too busy to answer in time, or is stopping.",
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM_SCHEMA = {
    "type": "object",
    "required": [FIELD],
    "properties": {FIELD: {"type": "string", "format": "binary"}},
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": _BINARY,
            "application/octet-stream": _BINARY,
            FORM: {"schema": _FORM_SCHEMA},
        },
    }
}
Detector = Annotated[
    DetectorName | None,
    Query(
        description="The face detector; none: the photo is one cropped face. "
        "Default: the detector that the server was started with."
    ),
]
ClassName = Annotated[
    str | None,
    Query(
        alias="class",
        max_length=100,
        description="The class to explain. Default: the label of each face.",
    ),
]


def make_app(
    service: Service, metrics: Metrics, detector: str = "auto", host_names: Iterable[str] = ()
) -> Guard:
    """The ASGI application. It closes the service when it stops.

    Args:
        service: answers tasks.
        metrics: counts requests.
        detector: used unless a request names another one.
        host_names: names of this server, besides addresses, localhost and the machine's name.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)

    app = FastAPI(
        title="Facial expressions",
        description=DESCRIPTION,
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_photo_routes(app, service, detector)
    _add_state_routes(app, service, metrics, detector)
    add_pages(app, {"/docs": api_page(app.openapi())})
    _add_error_handlers(app)
    return Guard(
        app, [str(getattr(route, "path", "")) for route in app.routes], metrics, host_names
    )


def _add_photo_routes(app: FastAPI, service: Service, default_detector: str) -> None:
    uploads = Uploads(service.limits)
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": Refusal, "description": reason} for status, reason in PROBLEMS.items()
    }

    async def answer(
        request: Request, kind: str, detector: str | None, class_name: str | None
    ) -> Response:
        try:
            service.check_capacity()
            _check_class(class_name, service.recognizer.class_names)
        except RequestError as problem:
            await uploads.refuse(request, problem)
        async with uploads.photo(request) as content:
            task = Task(content, kind, detector or default_detector, class_name)
            del content
            return json_response(await _unless_gone(request, service.answer(task)))

    @app.post(
        "/v1/predict",
        summary="Faces and their expressions",
        responses={200: {"model": Prediction}, **refusals},
        openapi_extra=_BODY,
    )
    async def predict(request: Request, detector: Detector = None) -> Response:
        return await answer(request, "predict", detector, None)

    @app.post(
        "/v1/explain",
        summary="The same, and what each prediction is based on",
        responses={200: {"model": Explanation}, **refusals},
        openapi_extra=_BODY,
    )
    async def explain(
        request: Request, detector: Detector = None, class_name: ClassName = None
    ) -> Response:
        return await answer(request, "explain", detector, class_name)

    async def wrong_parameter(request: Request, error: Exception) -> Response:
        problem = RequestError(422, _parameter_problem(error))
        with contextlib.suppress(RequestError):
            await uploads.refuse(request, problem)
        return problem_response(422, problem.message, problem.close)

    app.add_exception_handler(RequestValidationError, wrong_parameter)


def _parameter_problem(error: Exception) -> str:
    """One line for FastAPI's description of a wrong query parameter; it never quotes the value."""
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    name = str(errors[0]["loc"][-1]) if errors else "parameters"
    if name == "detector":
        return f"detector: unknown; choose from {', '.join(DETECTORS)}."
    return f"{name}: not valid; see /docs."


def _check_class(class_name: str | None, class_names: tuple[str, ...]) -> None:
    """Raises RequestError (422) if the model has no such class."""
    if class_name is not None and class_name not in class_names:
        names = ", ".join(class_names)
        raise RequestError(422, f"class: not a class of this model; it has: {names}.")


def _add_state_routes(app: FastAPI, service: Service, metrics: Metrics, detector: str) -> None:
    content = {
        "models": [_describe_model(service.recognizer, detector)],
        "limits": vars(service.limits),
    }

    @app.get(
        "/v1/models",
        summary="The served model, its accuracy, and the limits",
        responses={200: {"model": Models}},
    )
    async def models() -> Response:
        return json_response(content)

    @app.get("/healthz", summary="Health check")
    async def healthz() -> Response:
        return json_response({"status": "ok"})

    @app.get("/metrics", summary="Metrics for Prometheus")
    async def prometheus() -> Response:
        return Response(metrics.as_text(), media_type="text/plain; version=0.0.4")


def _add_error_handlers(app: FastAPI) -> None:
    async def wrong_path(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return problem_response(status, f"{getattr(error, 'detail', error)}; see /docs.")

    async def refused(_: Request, error: Exception) -> Response:
        if not isinstance(error, RequestError):
            raise error
        return problem_response(error.status, error.message, error.close)

    async def client_gone(_: Request, __: Exception) -> Response:
        return Response(status_code=CLIENT_GONE)

    async def failed(_: Request, __: Exception) -> Response:  # the guard logs it
        return problem_response(500, FAILED)

    app.add_exception_handler(HTTPException, wrong_path)
    app.add_exception_handler(RequestError, refused)
    app.add_exception_handler(ClientGoneError, client_gone)
    app.add_exception_handler(Exception, failed)


async def _unless_gone(request: Request, work: Coroutine[Any, Any, dict]) -> dict:
    """The result of `work`, which is cancelled when the client closes the connection.

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


def _describe_model(recognizer: Recognizer, detector: str) -> dict[str, Any]:
    """A ``schema.ServedModel`` as plain data."""
    return {
        "name": recognizer.file.stem,
        "class_names": list(recognizer.class_names),
        "input": list(recognizer.model.input_shape[1:]),
        "parameters": recognizer.model.count_params(),
        "detector": detector,
        "unsure_below": UNSURE,
        "measured": _measured_figures(recognizer.file.with_suffix(".json")),
    }


def _measured_figures(file: Path) -> dict[str, Any] | None:
    """The figures stored beside released weights; None if there are none."""
    try:
        figures = json.loads(file.read_text(encoding="utf-8"))
        plain, data = figures["plain"], figures["data"]
        return {
            "dataset": data["dataset"],
            "split": figures["split"],
            "images": plain["count"],
            "accuracy": plain["accuracy"],
            "accuracy_without_copies": plain["accuracy_clean"],
            "recall": {name: row["recall"] for name, row in plain["per_class"].items()},
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
