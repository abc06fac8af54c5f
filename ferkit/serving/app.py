"""The web application: its paths, what they take and what they answer."""

import asyncio
import contextlib
import json
from typing import Annotated, Literal

from fastapi import FastAPI, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ferkit.recognition import DETECTORS
from ferkit.recognition.recognizer import UNSURE
from ferkit.serving.api_page import api_page
from ferkit.serving.middleware import CLIENT_GONE, FAILED, Guard
from ferkit.serving.prometheus import Metrics
from ferkit.serving.responses import ClientGoneError, RequestError, json_response, problem_response
from ferkit.serving.schema import Explanation, Models, Prediction, Refusal
from ferkit.serving.service import Service, Task
from ferkit.serving.static_pages import add_pages
from ferkit.serving.uploads import FIELD, FORM, Intake

ABOUT = """Finds faces in a photo and says which expression people would most likely see in each. That is not what a person
feels. Send photos of people who agreed; nothing of them is kept."""
WRONG = {
    400: "No photo came with the request.",
    403: "Asked by a page of another site.",
    408: "The photo took too long to arrive.",
    413: "Too many bytes or pixels.",
    415: "Another content type, or bytes that are no photo in a format that is read.",
    421: "The Host is no name of this server.",
    422: "The photo is damaged, or a parameter is wrong.",
    429: "Too many requests are waiting; come back in a second.",
    503: "Too busy to answer in time, or stopping.",
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
    Literal[DETECTORS] | None,
    Query(
        description="Who finds the faces; none: the photo is one cropped face. Default: as the server was started."
    ),
]
ClassName = Annotated[
    str | None,
    Query(
        alias="class", max_length=100, description="Explain this class. Default: each face's label."
    ),
]


def make_app(service: Service, metrics: Metrics, detector: str = "auto", names=()) -> Guard:
    """The ASGI application. When it ends, it closes the service.

    Args:
        service: answers tasks.
        metrics: where requests are counted.
        detector: used unless a request names one.
        names: this server may be called by, beside addresses, localhost and the machine's own.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_):
        yield
        await asyncio.to_thread(service.close)

    app = FastAPI(
        title="Facial expressions",
        description=ABOUT,
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    direct = _add_api(app, service, detector)
    _add_state(app, service, metrics, detector)
    add_pages(app, {"/docs": api_page(app.openapi())})
    _add_problems(app)
    return Guard(app, direct, [route.path for route in app.routes], metrics, names)


def _add_api(app, service, default_detector):
    """Describe the two paths that take photos; path -> what answers it."""
    intake, wrong = (
        Intake(service.limits),
        {status: {"model": Refusal, "description": why} for status, why in WRONG.items()},
    )

    async def answered(request, kind):
        try:
            service.check_room()
            detector, class_name = _parameters(
                request.query_params, kind, service.recognizer.class_names
            )
        except RequestError as problem:
            await intake.refuse(request, problem)
        async with intake.photo(request) as content:
            task = Task(content, kind, detector or default_detector, class_name)
            del content
            return json_response(await _unless_gone(request, service.answer(task)))

    async def predict(detector: Detector = None): ...

    async def explain(detector: Detector = None, class_name: ClassName = None): ...

    for path, function, model, summary in (
        ("/v1/predict", predict, Prediction, "Faces and their expressions"),
        ("/v1/explain", explain, Explanation, "The same, and what speaks for each label"),
    ):
        answers = {200: {"model": model}, **wrong}
        app.post(path, summary=summary, responses=answers, openapi_extra=_BODY)(function)
    return {f"/v1/{kind}": _directly(answered, kind) for kind in ("predict", "explain")}


def _directly(answered, kind):
    """An ASGI application for one path, without FastAPI's dozen layers, which took a third of the event loop's time;
    FastAPI describes the path."""

    async def app(scope, receive, send):
        try:
            response = await answered(Request(scope, receive), kind)
        except RequestError as problem:
            response = problem_response(problem.status, problem.words, problem.close)
        except ClientGoneError:
            response = Response(status_code=CLIENT_GONE)
        await response(scope, receive, send)

    return app


def _parameters(query, kind, class_names):
    """Detector and class name of a request's query; None where not given.

    Raises:
        RequestError: 422: unknown ones.
    """
    detector = query.get("detector")
    if detector is not None and detector not in DETECTORS:
        raise RequestError(422, f"detector: unknown; choose from {', '.join(DETECTORS)}.")
    class_name = query.get("class") if kind == "explain" else None
    if class_name is not None and class_name not in class_names:
        raise RequestError(422, f"class: no class of this model; it has: {', '.join(class_names)}.")
    return detector, class_name


def _add_state(app, service, metrics, detector):
    about = {"models": [_about(service.recognizer, detector)], "limits": vars(service.limits)}

    @app.get(
        "/v1/models",
        summary="What answers here, how well, and the limits",
        responses={200: {"model": Models}},
    )
    async def models():
        return json_response(about)

    @app.get("/healthz", summary="Whether it serves")
    async def healthz():
        return json_response({"status": "ok"})

    @app.get("/metrics", summary="Counters, for Prometheus")
    async def prometheus():
        return Response(metrics.as_text(), media_type="text/plain; version=0.0.4")


def _add_problems(app):
    async def wrong_path(_, error):
        return problem_response(error.status_code, f"{error.detail}; see /docs.")

    async def failure(_, __):  # the guard tells it in the log
        return problem_response(500, FAILED)

    app.add_exception_handler(HTTPException, wrong_path)
    app.add_exception_handler(Exception, failure)


async def _unless_gone(request, work):
    """The result of `work`, which is cancelled when the client closes the connection.

    Raises:
        ClientGoneError: it did.
    """
    own, gone = asyncio.current_task(), False

    async def watch():
        nonlocal gone
        await request.receive()  # the body is all there: what comes next is the end
        gone = True
        own.cancel()

    watcher = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if not gone:
            raise
        own.uncancel()
        raise ClientGoneError from None
    finally:
        watcher.cancel()


def _about(recognizer, detector):
    return {
        "name": recognizer.file.stem,
        "class_names": list(recognizer.class_names),
        "input": list(recognizer.model.input_shape[1:]),
        "parameters": recognizer.model.count_params(),
        "detector": detector,
        "unsure_below": UNSURE,
        "measured": _measured(recognizer.file.with_suffix(".json")),
    }


def _measured(figures_file):
    """The figures beside weights that were released; None without any."""
    try:
        figures = json.loads(figures_file.read_text(encoding="utf-8"))
        plain, data = figures["plain"], figures["data"]
        return {
            "dataset": data["dataset"],
            "split": figures["split"],
            "images": plain["count"],
            "accuracy": plain["accuracy"],
            "accuracy_without_copies": plain["accuracy_clean"],
            "recall": {name: own["recall"] for name, own in plain["per_class"].items()},
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
