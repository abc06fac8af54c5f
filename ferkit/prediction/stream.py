"""Frames of a video or camera with tracked faces, one at a time: ``Recognizer.stream``."""

import collections
import contextlib
import dataclasses
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np

from ferkit.errors import UserError
from ferkit.prediction.tracking import SMOOTHING_SECONDS, Tracker
from ferkit.prediction.video import Frame, Video
from ferkit.recognition.photos import PhotoError
from ferkit.recognition.recognizer import Recognizer
from ferkit.recognition.results import Faces


@dataclasses.dataclass(frozen=True)
class StreamFrame:
    """A frame of a video or camera with its faces.

    Attributes:
        source: the file, "camera N", or the URL without user name, password and query.
        number: number of the frame, from 0; with a stride, a multiple of it.
        time: its time in seconds; of a live source, since it was opened.
        image: uint8 ``(height, width, 3)``, RGB.
        faces: its faces with track numbers (``Expression.track``) and smoothed probabilities.

    Example:
        >>> for frame in Recognizer().stream("talk.mp4"):
        ...     print(frame.number, frame.time, [face.track for face in frame.faces])
    """

    source: str
    number: int
    time: float
    image: np.ndarray
    faces: Faces


def stream(
    recognizer: Recognizer,
    source: str | Path | int,
    stride: int = 1,
    smoothing: float | None = None,
) -> Generator[StreamFrame, None, None]:
    """Open a video, camera or URL; see ``Recognizer.stream``.

    Raises:
        UserError: it cannot be opened, or `stride` or `smoothing` is out of range.
    """
    if isinstance(source, bool) or not isinstance(source, str | Path | int):
        problem = f"expected a file, a URL or the number of a camera, received {source!r:.60}"
        raise UserError("stream", problem)
    if isinstance(stride, bool) or not isinstance(stride, int) or stride < 1:
        raise UserError(f"stride={stride!r}", "out of range", "give a whole number of at least 1")
    if smoothing is not None and not 0 <= smoothing < float("inf"):
        raise UserError(f"smoothing={smoothing!r}", "out of range", "give seconds, or 0 for none")
    tracker = Tracker(SMOOTHING_SECONDS if smoothing is None else smoothing)
    return _stream(recognizer, Video(source), stride, tracker)


def _stream(
    recognizer: Recognizer, video: Video, stride: int, tracker: Tracker
) -> Generator[StreamFrame, None, None]:
    names = recognizer.class_names
    with contextlib.closing(video), contextlib.closing(video.frames(stride)) as frames:
        for frame, faces in predicted_frames(recognizer, frames, video.is_live):
            tracked = [
                dataclasses.replace(face, track=number)
                for number, face in tracker.follow(faces, frame.time)
            ]
            found = Faces(tracked, video.name, names)
            yield StreamFrame(video.name, frame.number, frame.time, frame.image, found)


def predicted_frames(
    recognizer: Recognizer, frames: Iterator[Frame], is_live: bool
) -> Generator[tuple[Frame, Faces], None, None]:
    """Frames with their faces; of a file in a few threads, of a live source without delay.

    Args:
        recognizer: finds faces and predicts their expressions.
        frames: the frames, in order.
        is_live: a frame is predicted before the next one is read.
    """
    if is_live:
        for frame in frames:
            yield frame, recognizer.predict(frame.image)
        return
    waiting: collections.deque[Frame] = collections.deque()  # the few that are read ahead

    def images() -> Iterator[np.ndarray]:
        for frame in frames:
            waiting.append(frame)
            yield frame.image

    with contextlib.closing(recognizer.predict_images(images())) as predictions:
        for prediction in predictions:
            if isinstance(prediction, PhotoError):
                raise prediction
            yield waiting.popleft(), prediction[1]
