"""The web application: its routes, their parameters and responses."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Annotated, Any

from fastapi import FastAPI, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ferkit.recognition.model_facts import model_facts
from ferkit.recognition.recognizer import Recognizer
from ferkit.serving.api_page import api_page
from ferkit.serving.middleware import FAILED, Guard
from ferkit.serving.photo_endpoint import PhotoEndpoint, detector_choices
from ferkit.serving.prometheus import Metrics
from ferkit.serving.responses import (
    RequestError,
    check_parameters,
    json_response,
    problem_response,
)
from ferkit.serving.schema import Explanation, Models, Prediction, Refusal
from ferkit.serving.service import MethodName, Service
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
ClassName = Annotated[
    str | None,
    Query(
        alias="class",
        max_length=100,
        description="The class to explain. Default: the label of each face.",
    ),
]
Method = Annotated[
    MethodName | None,
    Query(
        description="The kind of map. occlusion (the default): how much the probability falls when "
        "a part of the face is covered. grad-cam: needs a server with the runtime Keras."
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
    _describe_photo_routes(app, detector)
    _add_state_routes(app, service, metrics, detector)
    add_pages(app, {"/docs": api_page(app.openapi())})
    _add_error_handlers(app)
    uploads = Uploads(service.limits)
    endpoints = {
        f"/v1/{kind}": PhotoEndpoint(kind, service, uploads, detector)
        for kind in ("predict", "explain")
    }
    paths = [str(getattr(route, "path", "")) for route in app.routes]
    return Guard(app, endpoints, paths, metrics, host_names)


def _describe_photo_routes(app: FastAPI, own_detector: str) -> None:
    """Describe the paths that a `PhotoEndpoint` answers."""
    choice = Query(
        default=None,
        description="The face detector; none: the photo is one cropped face. "
        "Default: the detector that the server was started with.",
        json_schema_extra={"enum": list(detector_choices(own_detector))},
    )
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": Refusal, "description": reason} for status, reason in PROBLEMS.items()
    }

    @app.post(
        "/v1/predict",
        summary="Faces and their expressions",
        responses={200: {"model": Prediction}, **refusals},
        openapi_extra=_BODY,
    )
    async def predict(detector: str | None = choice) -> Response:
        raise NotImplementedError

    @app.post(
        "/v1/explain",
        summary="The same, and what each prediction is based on",
        responses={200: {"model": Explanation}, **refusals},
        openapi_extra=_BODY,
    )
    async def explain(
        detector: str | None = choice, class_name: ClassName = None, method: Method = None
    ) -> Response:
        raise NotImplementedError


def _add_state_routes(app: FastAPI, service: Service, metrics: Metrics, detector: str) -> None:
    content = {
        "models": [_describe_model(service.recognizer, detector)],
        "limits": vars(service.limits),
    }

    @app.get(
        "/v1/models",
        summary="The served model, its accuracy, and the limits",
        responses={
            200: {"model": Models},
            422: {"model": Refusal, "description": "A query parameter is unknown."},
        },
    )
    async def models(request: Request) -> Response:
        check_parameters(request, ())
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

    async def refused(_: Request, error: Any) -> Response:  # a RequestError
        return problem_response(error.status, error.message)

    async def failed(_: Request, __: Exception) -> Response:  # the guard logs it
        return problem_response(500, FAILED)

    app.add_exception_handler(HTTPException, wrong_path)
    app.add_exception_handler(RequestError, refused)
    app.add_exception_handler(Exception, failed)


def _describe_model(recognizer: Recognizer, detector: str) -> dict[str, Any]:
    """A ``schema.ServedModel`` as plain data."""
    facts = model_facts(recognizer.file, recognizer.runtime)
    own = {
        "runtime": recognizer.runtime.name,
        "detector": detector,
        "unsure_below": recognizer.unsure_below,
    }
    return facts | own
