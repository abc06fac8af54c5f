"""Predicts photos, folders, videos and a camera, and writes rows, pictures and plots."""

import contextlib
import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tqdm import tqdm

from ferkit.errors import UserError, escaped, without_location
from ferkit.files import written_atomically
from ferkit.outputs import OutputNames
from ferkit.prediction.annotate import annotate
from ferkit.prediction.inputs import is_video
from ferkit.prediction.rows import NO_FACE, UNREADABLE, RowWriter, empty_row, face_row
from ferkit.prediction.stream import predicted_frames
from ferkit.prediction.timeline import Timeline
from ferkit.prediction.tracking import SMOOTHING_SECONDS, Tracker
from ferkit.prediction.video import Frame, Video, VideoWriter
from ferkit.prediction.window import Window
from ferkit.process import imported
from ferkit.recognition.photos import PhotoError
from ferkit.recognition.recognizer import Expression, Recognizer

MIN_SHOWN_PROBABILITY = 0.05  # of the classes that are printed after the label
CAMERA_LINE_SECONDS = 1.0  # time between two lines for a camera


class Prediction:
    """Predicts inputs one after another. An unreadable input becomes a row; the rest continues.

    Args:
        recognizer: finds faces and predicts their expressions.
        rows: receives a row for each face, and for each input or frame without one.
        pictures: the files for annotated photos, videos and plots, with the ``picture_names`` of
            each input; None: none are written.
        smoothing: time constant in seconds, see ``Tracker``; None: its default.
        seconds: time after which a video or camera is stopped; None: at its end.
        window: shows the frames of videos and cameras. When the user closes it, a camera stops, and
            videos are read to their end.

    Attributes:
        inputs: number of photos, videos and cameras so far.
        faces: number of faces so far.
        without_face: number of inputs without a face so far.
        unreadable: number of inputs so far that could not be read.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        rows: RowWriter,
        pictures: OutputNames | None = None,
        smoothing: float | None = None,
        seconds: float | None = None,
        window: Window | None = None,
    ) -> None:
        self.recognizer, self.rows, self.window = recognizer, rows, window
        self.pictures = pictures
        self.smoothing = SMOOTHING_SECONDS if smoothing is None else smoothing
        self.seconds = seconds
        self.inputs = self.faces = self.without_face = self.unreadable = 0

    def files(self, files: Sequence[Path]) -> None:
        """Predict photos and videos, in their order."""
        is_hidden = True if len(files) < 3 else None  # None: shown only on a terminal
        with tqdm(total=len(files), unit="file", disable=is_hidden, leave=False) as bar:
            for are_videos, group in itertools.groupby(files, is_video):
                if are_videos:
                    for file in group:
                        self.video(file)
                        bar.update()
                else:
                    self._photos(list(group), bar)

    def summary(self, weights: Path) -> str:
        """What was done, in a line that names the model file."""
        parts = [
            f"{self.inputs:,} {_plural('input', self.inputs)}: "
            f"{self.faces:,} {_plural('face', self.faces)}"
        ]
        if self.without_face:
            parts.append(f"{self.without_face:,} without a face")
        if self.unreadable:
            parts.append(f"{self.unreadable:,} unreadable")
        runtime = self.recognizer.runtime.name
        return f"{', '.join(parts)}. Model: {weights} (runtime: {runtime})"

    def _photos(self, files: Sequence[Path], bar: tqdm) -> None:
        """Predict photos, which are read ahead in a few threads."""
        with contextlib.closing(self.recognizer.predict_images(files)) as predictions:
            for file, prediction in zip(files, predictions, strict=True):
                self.inputs += 1
                if isinstance(prediction, PhotoError):
                    self._unreadable(file, prediction)
                else:
                    self._photo(file, *prediction)
                bar.update()

    def _unreadable(self, source: Path, error: UserError) -> None:
        self.unreadable += 1
        self.rows.write(empty_row(source, UNREADABLE, reason=str(error)))
        tqdm.write(f"{escaped(source)}: unreadable: {without_location(error)}")

    def _photo(self, file: Path, photo: np.ndarray, expressions: Sequence[Expression]) -> None:
        """Write the results of a photo."""
        if not expressions:
            self.without_face += 1
            self.rows.write(empty_row(file, NO_FACE))
            tqdm.write(f"{escaped(file)}: no face found")
        for number, expression in enumerate(expressions, start=1):
            self.faces += 1
            self.rows.write(face_row(file, expression, face=number))
            shown_number = number if len(expressions) > 1 else None
            tqdm.write(f"{escaped(file)}: {described(expression, shown_number)}")
        if self.pictures:
            (path,) = self.pictures.paths(file)
            _save_picture(annotate(photo, expressions), path, self.pictures.tag(file))

    def video(self, source: Path | int) -> None:
        """Predict a video file, or the camera of that number until Ctrl-C.

        Raises:
            UserError: the camera cannot be used.
        """
        self.inputs += 1
        try:
            video = Video(source)
        except UserError as error:
            if isinstance(source, int):
                raise
            self._unreadable(source, error)
            return
        film = plot = None
        tag = ""
        if self.pictures:
            (film, plot), tag = self.pictures.paths(video.name), self.pictures.tag(video.name)
        timeline = Timeline(self.recognizer.class_names)
        try:
            self._video_frames(video, timeline, film, tag)
        finally:
            video.close()
        if plot and timeline.tracks:
            draw = imported("ferkit.prediction.timeline_plot:draw_timeline")  # needs Matplotlib
            title = f"{Path(video.name).name}: probabilities over time"
            draw(timeline, plot, title, tag)
            tqdm.write(f"{escaped(video.name)}: plot {plot}")

    def _video_frames(
        self, video: Video, timeline: Timeline, film: Path | None, tag: str = ""
    ) -> None:
        """Predict the frames of a video; `film` is the annotated video to write, or None."""
        tracker, started = Tracker(self.smoothing), time.monotonic()
        count, faces, next_line = 0, 0, 0.0
        with contextlib.ExitStack() as stack:
            writer = stack.enter_context(VideoWriter(film, video.rate, tag)) if film else None
            label = Path(video.name).name
            bar = stack.enter_context(
                tqdm(total=video.count or None, unit="frame", desc=label, leave=False)
            )
            frames = stack.enter_context(contextlib.closing(video.frames()))
            predictions = predicted_frames(self.recognizer, frames, video.is_live)
            stack.enter_context(contextlib.closing(predictions))
            for frame, expressions in predictions:
                tracked = tracker.follow(expressions, frame.time)
                self._frame(video.name, frame, tracked, timeline)
                self._draw(frame, tracked, writer)
                if not video.count and frame.time >= next_line:
                    tqdm.write(
                        f"{escaped(video.name)}, {frame.time:.0f} s: {_described_all(tracked)}"
                    )
                    next_line = frame.time + CAMERA_LINE_SECONDS
                count, faces = count + 1, faces + len(tracked)
                bar.update()
                is_over = self.seconds is not None and frame.time >= self.seconds
                if is_over or (video.is_live and self.window and not self.window.is_open):
                    break
        self.faces += faces
        self.without_face += not faces
        speed = count / max(time.monotonic() - started, 1e-9)
        broken = f", {video.broken} damaged frames skipped" if video.broken else ""
        rate = f"{speed:.1f} frames/s"
        tqdm.write(f"{escaped(video.name)}: {count:,} frames{broken}, {rate}; {timeline.summary()}")

    def _draw(
        self,
        frame: Frame,
        tracked: Sequence[tuple[int, Expression]],
        writer: VideoWriter | None,
    ) -> None:
        """Write and show the annotated frame, where that was asked for."""
        is_shown = self.window is not None and self.window.is_open
        if not writer and not is_shown:
            return
        picture = annotate(frame.image, [face for _, face in tracked])
        if writer:
            writer.write(picture)
        if self.window:
            self.window.show(picture)

    def _frame(
        self,
        name: str,
        frame: Frame,
        tracked: Sequence[tuple[int, Expression]],
        timeline: Timeline,
    ) -> None:
        """Write the rows of a frame and add its faces to the timeline."""
        for number, expression in tracked:
            self.rows.write(face_row(name, expression, frame.number, frame.time, number))
            timeline.add(number, frame.time, expression.probabilities)
        if not tracked:
            self.rows.write(empty_row(name, NO_FACE, frame.number, frame.time))


def picture_names(source: Path | int) -> list[str]:
    """The names of the annotated results of a file or camera.

    A photo has one picture; a video or camera has an annotated video and a plot.
    """
    if isinstance(source, int) or is_video(source):
        stem = f"camera-{source}" if isinstance(source, int) else source.stem.replace(" ", "-")
        return [f"{stem}.mp4", f"{stem}.png"]
    suffix = ".jpg" if source.suffix.lower() in (".jpg", ".jpeg") else ".png"
    return [f"{source.stem}{suffix}"]


def _save_picture(picture: np.ndarray, path: Path, tag: str) -> None:
    comment = PngInfo()
    comment.add_text("Comment", tag)
    with written_atomically(path) as draft:
        if path.suffix == ".jpg":
            Image.fromarray(picture).save(draft, format="JPEG", quality=92, comment=tag)
        else:
            Image.fromarray(picture).save(draft, format="PNG", pnginfo=comment)


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _described_all(tracked: Sequence[tuple[int, Expression]]) -> str:
    return "; ".join(described(face, number) for number, face in tracked) or "no face"


def described(expression: Expression, number: int | None = None) -> str:
    """A face in a line: its most likely classes and its box.

    Args:
        expression: the predicted expression.
        number: number of the face to print; None: no number.
    """
    ranked = sorted(expression.probabilities.items(), key=lambda pair: -pair[1])
    others = ", ".join(f"{name} {p:.0%}" for name, p in ranked[1:4] if p >= MIN_SHOWN_PROBABILITY)
    left, top, right, bottom = np.round(expression.box).astype(int)
    face = f"face {number}: " if number else ""
    label = f"{ranked[0][0]} {ranked[0][1]:.0%}"
    unsure = " (unsure)" if expression.is_unsure else ""
    rest = f" ({others})" if others else ""
    return f"{face}{label}{unsure}{rest} at {left},{top} to {right},{bottom}"
