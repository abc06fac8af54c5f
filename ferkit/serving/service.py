"""From a photo's bytes to what the API answers, by the recognizer: threads read photos, others ask the model."""

import asyncio
import dataclasses
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from ferkit.recognition.photos import NoPhotoError, PhotoError, TooManyPixelsError, read_photo
from ferkit.serving.batching import Batcher
from ferkit.serving.explained_faces import explained_answer
from ferkit.serving.limits import Limits
from ferkit.serving.prometheus import Metrics
from ferkit.serving.responses import ClientGoneError, RequestError
from ferkit.serving.schema import face_answer
from ferkit.tensorflow_runtime import available_cpu_count

FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "BMP",
    "TIFF",
    "AVIF",
    "PPM",
)  # decoded in this process, in memory
EXPLAINED_TOGETHER = 4  # faces whose maps are made in one go


@dataclasses.dataclass
class Task:
    """What a request asks for.

    Attributes:
        content: the photo's bytes.
        kind: "predict" or "explain".
        detector: of ``detection.DETECTORS``.
        class_name: to explain; None: each face's label.
        given_up: nobody waits for it any more.
    """

    content: bytes
    kind: str
    detector: str
    class_name: str | None = None
    given_up: bool = False


@dataclasses.dataclass
class _Found:
    """A photo's size ``(width, height)``, all its faces, and the model's answers to the surest, as a future."""

    size: tuple[int, int]
    faces: list
    answers: Future


class Service:
    """Answers tasks, so many at a time.

    A detector is no thing to share between threads, so each reading thread has its own. The model has a thread for
    each core, and a batch in each.

    Args:
        recognizer: a ``Recognizer``.
        limits: of everything.
        metrics: where it is counted.
        make_detector: name -> detector.

    Example:
        >>> service = Service(Recognizer(), Limits(), Metrics(), detection.make_detector)
        >>> answer = await service.answer(Task(content, "predict", "auto"))
    """

    def __init__(self, recognizer, limits: Limits, metrics: Metrics, make_detector):
        self.recognizer, self.limits, self.waiting = recognizer, limits, 0
        self._make_detector, self._own, self._explainer = make_detector, threading.local(), None
        self._batcher = Batcher(
            {"predict": self._predict, "explain": self._explain},
            {"predict": limits.batch, "explain": EXPLAINED_TOGETHER},
            measured=metrics.batch,
            threads=available_cpu_count(),
        )
        self._readers = ThreadPoolExecutor(limits.readers, thread_name_prefix="reader")
        metrics.watch(
            "fer_requests_waiting", "Requests that wait or are worked on.", lambda: self.waiting
        )
        metrics.watch(
            "fer_faces_waiting", "Faces that wait for the model.", lambda: self._batcher.waiting
        )

    def warm_up(self, kinds=("predict", "explain")):
        """Have everything traced before the first request."""
        size, _, channels = self.recognizer.model.input_shape[1:]
        gray = np.full((size, size, channels), 127, np.uint8)
        rows = {"predict": gray, "explain": (gray, None)}
        self._batcher.warm_up({kind: rows[kind] for kind in kinds})

    def close(self):
        """Answer what waits, then end the threads."""
        self._readers.shutdown()
        self._batcher.close()

    def check_room(self):
        """Raises:
        RequestError: 429, as many tasks are waiting as may.
        """
        if self.waiting >= self.limits.waiting:
            raise RequestError(
                429, f"busy: {self.waiting} requests are waiting; try again in a second."
            )

    async def answer(self, task: Task) -> dict:
        """What the API answers to a task; see ``schema.Prediction`` and ``schema.Explanation``.

        Raises:
            RequestError: 400, 413, 415 or 422 about the photo, 429 when full, 503 when it takes too long.
        """
        self.check_room()
        self.waiting += 1
        try:
            async with asyncio.timeout(self.limits.seconds):
                done = Future()
                self._readers.submit(self._look_and_ask, task, done)
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
            task.given_up = True
            self.waiting -= 1

    # ---- in a reading thread ------------------------------------------------------------------------------------------------

    def _look_and_ask(self, task, done):
        """Find a photo's faces; when the model has answered, `done` has (what was found, answers). Cancelled, it cancels that."""
        try:
            found = self._look(task)
        except BaseException as error:
            if done.set_running_or_notify_cancel():
                done.set_exception(error)
            return
        done.add_done_callback(lambda one: one.cancelled() and found.answers.cancel())
        found.answers.add_done_callback(lambda answers: _hand_on(answers, found, done))

    def _look(self, task):
        """Read the photo, find its faces, and hand them to the model's thread."""
        import cv2

        if task.given_up:
            raise ClientGoneError
        photo = self._photo(task)
        most = self.limits.faces if task.kind == "predict" else self.limits.explained_faces
        try:
            faces = self._detector(task.detector)(photo)
            rows = [self.recognizer.crop(photo, face) for face in faces[:most]]
        except cv2.error as error:
            height, width = photo.shape[:2]
            raise RequestError(
                422, f"the photo: {width} x {height} pixels, which cannot be searched for faces."
            ) from error
        if task.kind == "explain":
            rows = [(row, task.class_name) for row in rows]
        return _Found(
            photo.shape[1::-1],
            faces,
            self._batcher.submit(task.kind, [] if task.given_up else rows),
        )

    def _photo(self, task):
        content, task.content = task.content, b""
        try:
            return read_photo(content, self.limits.pixels, FORMATS)
        except PhotoError as error:
            status = (
                415
                if isinstance(error, NoPhotoError)
                else 413
                if isinstance(error, TooManyPixelsError)
                else 422
            )
            words = str(error).replace("the bytes given", "the photo", 1)
            hint = f" Formats: {', '.join(FORMATS)}." if status == 415 else ""
            raise RequestError(status, words + hint) from error

    def _detector(self, name):
        own = vars(self._own)
        if name not in own:
            own[name] = self._make_detector(name)
        return own[name]

    # ---- in a thread of the model's ------------------------------------------------------------------------------------------

    def _predict(self, crops):
        """(probabilities,) for crops."""
        return [(probabilities,) for probabilities in self.recognizer.probabilities(crops)]

    def _explain(self, rows):
        """(probabilities, number of the explained class, map) for rows of (crop, class name or None)."""
        from ferkit.explanation import Explainer

        self._explainer = self._explainer or Explainer(self.recognizer.model)
        crops = np.stack([crop for crop, _ in rows])
        probabilities = self.recognizer.probabilities(crops)
        names, labels = list(self.recognizer.class_names), probabilities.argmax(axis=1)
        classes = [
            label if name is None else names.index(name)
            for (_, name), label in zip(rows, labels, strict=True)
        ]
        maps = self._explainer.maps(crops, np.array(classes))["features"]
        return list(zip(crops, probabilities, classes, maps, strict=True))

    def _as_answer(self, found, answers, one_answer):
        faces = [
            one_answer(self.recognizer, face, *answer)
            for face, answer in zip(found.faces, answers, strict=False)
        ]
        width, height = found.size
        head = {"model": self.recognizer.file.stem, "width": width, "height": height}
        return head | {
            "faces_found": len(found.faces),
            "faces_left_out": len(found.faces) - len(faces),
            "faces": faces,
        }


def _hand_on(answers, found, done):
    if answers.cancelled() or not done.set_running_or_notify_cancel():
        return
    if answers.exception():
        done.set_exception(answers.exception())
    else:
        done.set_result((found, answers.result()))
