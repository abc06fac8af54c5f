"""From a photo's bytes to the API's answer: some threads read photos, others run the model."""

import asyncio
import dataclasses
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal, get_args

import cv2
import numpy as np

from ferkit.explanation.occlusion import occlusion_maps, relative
from ferkit.process import available_cpu_count, imported
from ferkit.recognition import Face
from ferkit.recognition.photos import (
    NoPhotoError,
    PhotoError,
    TooManyPixelsError,
    pixel_count,
    read_photo,
)
from ferkit.recognition.recognizer import Recognizer
from ferkit.serving.batching import Batcher
from ferkit.serving.explained_faces import explained_answer
from ferkit.serving.limits import Limits
from ferkit.serving.pixel_budget import PixelBudget
from ferkit.serving.prometheus import Metrics
from ferkit.serving.responses import ClientGoneError, RequestError
from ferkit.serving.schema import face_answer

FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "BMP",
    "AVIF",
    "PPM",
)  # decoded in this process, in memory; not TIFF, whose decoder writes to standard error
EXPLAIN_BATCH = 1  # a map takes hundreds of calls of the model: faces are shared among the cores
MethodName = Literal["occlusion", "grad-cam"]
METHODS: tuple[MethodName, ...] = get_args(MethodName)  # of maps; Grad-CAM needs Keras
OCCLUSION, GRAD_CAM = METHODS


@dataclasses.dataclass
class Task:
    """A request.

    Attributes:
        content: the photo's bytes.
        kind: "predict" or "explain".
        detector: name of a face detector.
        class_name: class to explain; None: the label of each face.
        method: the kind of explanation map, one of ``METHODS``.
        abandoned: whether the client no longer waits for the answer.
    """

    content: bytes
    kind: str
    detector: str
    class_name: str | None = None
    method: str = OCCLUSION
    abandoned: bool = False


@dataclasses.dataclass
class _DetectedFaces:
    """A photo's size ``(width, height)``, all its faces, and the model's answers as a future."""

    size: tuple[int, int]
    faces: list[Face]
    answers: Future


class Service:
    """Answers tasks within the limits.

    Detectors are not thread-safe, so each reading thread has its own. The model has one thread
    per core, each with its own batch.

    Args:
        recognizer: predicts expressions.
        limits: limits of the server.
        metrics: counts batches and waiting requests.
        make_detector: name -> detector.

    Example:
        >>> service = Service(Recognizer(), Limits(), Metrics(), make_detector)
        >>> answer = await service.answer(Task(content, "predict", "auto"))
    """

    def __init__(
        self,
        recognizer: Recognizer,
        limits: Limits,
        metrics: Metrics,
        make_detector: Callable[[str], Any],
    ) -> None:
        self.recognizer, self.limits, self.waiting = recognizer, limits, 0
        self._make_detector, self._thread_local = make_detector, threading.local()
        self._explainer: Any = None
        self._pixels = PixelBudget(limits.pixels_in_flight)
        self._batcher = Batcher(
            {"predict": self._predict, "explain": self._explain},
            {"predict": limits.batch, "explain": EXPLAIN_BATCH},
            measured=metrics.batch,
            threads=available_cpu_count(),
        )
        self._readers = ThreadPoolExecutor(limits.readers, thread_name_prefix="reader")
        metrics.watch(
            "fer_requests_waiting",
            "Requests that are waiting or in progress.",
            lambda: self.waiting,
        )
        metrics.watch(
            "fer_faces_waiting",
            "Faces that are waiting for the model.",
            lambda: self._batcher.waiting,
        )

    def warm_up(self, kinds: Iterable[str] = ("predict", "explain")) -> None:
        """Compile the model before the first request."""
        gray = np.full(self.recognizer.input_shape, 127, np.uint8)
        rows: dict[str, Any] = {"predict": gray, "explain": (gray, None, OCCLUSION)}
        self._batcher.warm_up({kind: rows[kind] for kind in kinds})

    def close(self) -> None:
        """Answer waiting requests, then end the threads."""
        self._readers.shutdown()
        self._batcher.close()

    def check_capacity(self) -> None:
        """Raise RequestError (429) if too many requests are waiting."""
        if self.waiting >= self.limits.waiting:
            raise RequestError(
                429, f"busy: {self.waiting} requests are waiting; try again in a second."
            )

    async def answer(self, task: Task) -> dict:
        """The answer to a task; see ``schema.Prediction`` and ``schema.Explanation``.

        Raises:
            RequestError: 400, 413, 415 or 422 about the photo, 429 when too many requests are
                waiting, 503 when it takes too long.
        """
        self.check_capacity()
        self.waiting += 1
        try:
            async with asyncio.timeout(self.limits.seconds):
                done: Future = Future()
                self._readers.submit(self._detect_and_predict, task, done)
                found, answers = await asyncio.wrap_future(done)
                if task.kind == "predict":
                    return self._as_answer(found, answers, face_answer)
                return await asyncio.wrap_future(
                    self._readers.submit(self._as_answer, found, answers, explained_answer)
                )
        except TimeoutError as error:
            raise RequestError(
                503, f"not answered within {self.limits.seconds:g} s: too busy; try again."
            ) from error
        finally:
            task.abandoned = True
            self.waiting -= 1

    # ---- in a reading thread ----

    def _detect_and_predict(self, task: Task, done: Future) -> None:
        """Detect a photo's faces and set `done` to (detected faces, answers of the model).

        If `done` is canceled, so is the model's work.
        """
        try:
            found = self._detect(task)
        except BaseException as error:
            if done.set_running_or_notify_cancel():
                done.set_exception(error)
            return
        done.add_done_callback(lambda future: future.cancelled() and found.answers.cancel())
        found.answers.add_done_callback(lambda answers: _forward_result(answers, found, done))

    def _detect(self, task: Task) -> _DetectedFaces:
        """Read the photo, detect its faces, and submit them to the model's threads."""
        if task.abandoned:
            raise ClientGoneError
        content, task.content = task.content, b""
        with self._pixels.held(pixel_count(content, FORMATS)):
            return self._detect_in(content, task)

    def _detect_in(self, content: bytes, task: Task) -> _DetectedFaces:
        photo = self._photo(content)
        limit = self.limits.faces if task.kind == "predict" else self.limits.explained_faces
        try:
            faces = self._detector(task.detector)(photo)
            rows: list[Any] = [self.recognizer.crop(photo, face) for face in faces[:limit]]
        except cv2.error as error:
            height, width = photo.shape[:2]
            problem = f"the photo: face detection fails on {width} x {height} pixels."
            raise RequestError(422, problem) from error
        if task.kind == "explain":
            rows = [(row, task.class_name, task.method) for row in rows]
        return _DetectedFaces(
            (photo.shape[1], photo.shape[0]),
            faces,
            self._batcher.submit(task.kind, [] if task.abandoned else rows),
        )

    def _photo(self, content: bytes) -> np.ndarray:
        try:
            return read_photo(content, self.limits.pixels, FORMATS)
        except PhotoError as error:
            statuses = {NoPhotoError: 415, TooManyPixelsError: 413}
            status = statuses.get(type(error), 422)
            message = str(error).replace("the bytes given", "the photo", 1)
            hint = f" Formats: {', '.join(FORMATS)}." if status == 415 else ""
            raise RequestError(status, message + hint) from error

    def _detector(self, name: str) -> Any:
        detectors = vars(self._thread_local)
        if name not in detectors:
            detectors[name] = self._make_detector(name)
        return detectors[name]

    # ---- in a thread of the model ----

    def _predict(self, crops: list[np.ndarray]) -> list[tuple[np.ndarray]]:
        """(probabilities,) of each crop."""
        return [(probabilities,) for probabilities in self.recognizer.probabilities(crops)]

    def _explain(self, rows: list[tuple[np.ndarray, str | None, str]]) -> list[tuple]:
        """(crop, probabilities, explained class, map) of each (crop, class name, method)."""
        answers = []
        for crop, name, method in rows:
            (probabilities,) = self.recognizer.probabilities(crop[None])
            names = list(self.recognizer.class_names)
            explained = int(probabilities.argmax()) if name is None else names.index(name)
            values = self._map(crop, explained, method)
            answers.append((crop, probabilities, explained, values))
        return answers

    def _map(self, crop: np.ndarray, explained: int, method: str) -> np.ndarray:
        """The map of one face, float ``(size, size)`` in [0, 1]."""
        if method == OCCLUSION:
            (fall,) = occlusion_maps(self.recognizer.runtime.probabilities, crop[None], explained)
            return relative(fall)
        if self._explainer is None:
            explainer = imported("ferkit.explanation.grad_cam:Explainer")  # needs Keras
            self._explainer = explainer(self.recognizer.model)
        maps: np.ndarray = self._explainer.maps(crop[None], np.array([explained]))["features"]
        return maps[0]

    def _as_answer(
        self, found: _DetectedFaces, answers: Sequence[tuple], face_to_answer: Callable[..., dict]
    ) -> dict[str, Any]:
        faces = [
            face_to_answer(self.recognizer, face, *answer)
            for face, answer in zip(found.faces, answers, strict=False)
        ]
        width, height = found.size
        head = {"model": self.recognizer.file.stem, "width": width, "height": height}
        return head | {
            "faces_found": len(found.faces),
            "faces_left_out": len(found.faces) - len(faces),
            "faces": faces,
        }


def _forward_result(answers: Future, found: _DetectedFaces, done: Future) -> None:
    if answers.cancelled() or not done.set_running_or_notify_cancel():
        return
    if answers.exception():
        done.set_exception(answers.exception())
    else:
        done.set_result((found, answers.result()))
