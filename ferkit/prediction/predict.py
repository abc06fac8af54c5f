"""predict: photos, folders, videos and a camera through one recognizer, with rows, pictures and
plots of what was found.
"""

import contextlib
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from ferkit.errors import UserError
from ferkit.files import written_atomically
from ferkit.prediction.annotate import annotate
from ferkit.prediction.inputs import is_video
from ferkit.prediction.rows import NO_FACE, UNREADABLE, RowWriter, empty_row, face_row
from ferkit.prediction.timeline import Timeline
from ferkit.prediction.tracking import Tracker
from ferkit.prediction.video import Video, VideoWriter
from ferkit.recognition.photos import NoPhotoError, PhotoError, read_photo
from ferkit.recognition.recognizer import UNSURE, Expression, Recognizer

PHOTOS_AT_ONCE = 16  # whose faces go through the model together
FRAMES_AT_ONCE = 8  # the same of a video; a 4K frame takes 25 MB
SHOWN_SHARE = 0.05
CAMERA_LINE_SECONDS = 1.0


class Prediction:
    """Goes through inputs one after another; what cannot be read is a row, and the rest goes on.

    Args:
        recognizer: a ``Recognizer``.
        rows: a ``RowWriter``.
        pictures: a folder for annotated photos, videos and plots; None: none.
        smoothing: seconds, see ``Tracker``.
        seconds: where a video or a camera is left; None: at its end.

    Attributes:
        photos, faces, without, unreadable: how many so far; photos counts videos too.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        rows: RowWriter,
        pictures: str | Path | None = None,
        smoothing: float | None = None,
        seconds: float | None = None,
    ) -> None:
        self.seconds = seconds
        self.recognizer, self.rows = recognizer, rows
        self.pictures = Path(pictures) if pictures else None
        self.smoothing = {} if smoothing is None else {"seconds": smoothing}
        self.photos = self.faces = self.without = self.unreadable = 0
        self._names: dict[str, int] = {}

    # ---- files

    def files(self, files: list[Path]) -> None:
        """Photos and videos, in their order."""
        waiting = []
        with tqdm(total=len(files), unit="file", disable=len(files) < 3, leave=False) as bar:
            for file in files:
                if is_video(file):
                    self._photos(waiting)
                    self.video(file)
                    waiting = []
                else:
                    waiting.append(file)
                if len(waiting) == PHOTOS_AT_ONCE:
                    self._photos(waiting)
                    waiting = []
                bar.update()
            self._photos(waiting)

    def _photos(self, files: list[Path]) -> None:
        read = []
        for file in files:
            try:
                read.append((file, read_photo(file)))
            except PhotoError as error:
                read.append((file, error))
        found = iter(
            self.recognizer.predict_many(
                [photo for _, photo in read if not isinstance(photo, PhotoError)]
            )
        )
        for file, photo in read:
            self.photos += 1
            if isinstance(photo, PhotoError):
                self._unreadable(file, photo)
            else:
                self._photo(file, photo, next(found))

    def _unreadable(self, source: Path, error: PhotoError | NoPhotoError | UserError) -> None:
        self.unreadable += 1
        self.rows.write(empty_row(source, UNREADABLE, reason=str(error)))
        tqdm.write(f"{source}: unreadable: {str(error).removeprefix(f'{source}: ')}")

    def _photo(self, file: Path, photo: np.ndarray, expressions: list[Expression]) -> None:
        if not expressions:
            self.without += 1
            self.rows.write(empty_row(file, NO_FACE))
            tqdm.write(f"{file}: no face found")
        for number, one in enumerate(expressions, start=1):
            self.faces += 1
            self.rows.write(face_row(file, one, face=number))
            tqdm.write(f"{file}: {described(one, number if len(expressions) > 1 else None)}")
        if self.pictures:
            kept = file.suffix.lower() in (".jpg", ".jpeg")
            self._save(
                annotate(photo, expressions), self._free_name(file, ".jpg" if kept else ".png")
            )

    def _save(self, picture: np.ndarray, path: Path) -> None:
        with written_atomically(path) as draft:
            Image.fromarray(picture).save(
                draft, format="JPEG" if path.suffix == ".jpg" else "PNG", quality=92
            )

    def _free_name(self, file: Path, suffix: str) -> Path:
        """A file of that name in the folder of pictures.

        Photos of one name from several folders are numbered.
        """
        name = Path(file).stem
        used = self._names[name + suffix] = self._names.get(name + suffix, 0) + 1
        return self.pictures / (f"{name}{suffix}" if used == 1 else f"{name}-{used}{suffix}")

    def summary(self, weights: Path) -> str:
        """What was done, in a line."""
        what = f"{self.photos:,} {_plural('input', self.photos)}: {self.faces:,} {_plural('face', self.faces)}"
        missing = [
            f"{n:,} {word}"
            for n, word in ((self.without, "without a face"), (self.unreadable, "unreadable"))
            if n
        ]
        return f"{', '.join([what, *missing])}. Model: {weights}"

    # ---- videos

    def video(self, source: "Path | int") -> None:
        """A video file, or the camera of that number until Ctrl-C."""
        self.photos += 1
        try:
            video = Video(source)
        except UserError as error:
            if isinstance(source, int):
                raise
            self._unreadable(source, error)
            return
        stem = Path(video.name.replace(" ", "-"))
        paths = (
            {kind: self._free_name(stem, kind) for kind in (".mp4", ".png")}
            if self.pictures
            else {}
        )
        timeline = Timeline(self.recognizer.class_names)
        try:
            self._frames(video, timeline, paths.get(".mp4"))
        finally:
            video.close()
        if paths and timeline.tracks:
            timeline.draw(paths[".png"], f"{stem.name}: probabilities over time")
            tqdm.write(f"{video.name}: plot {paths['.png']}")

    def _frames(self, video: Video, timeline: Timeline, path: Path | None) -> None:
        tracker, began, count, faces, told = (
            Tracker(**self.smoothing),
            time.monotonic(),
            0,
            0,
            -CAMERA_LINE_SECONDS,
        )
        with contextlib.ExitStack() as stack:
            writer = stack.enter_context(VideoWriter(path, video.rate)) if path else None
            bar = stack.enter_context(
                tqdm(
                    total=video.count or None, unit="frame", desc=Path(video.name).name, leave=False
                )
            )
            frames = stack.enter_context(contextlib.closing(video.frames()))
            for frame, expressions in self._answered(frames, FRAMES_AT_ONCE if video.count else 1):
                numbered = tracker.follow(expressions, frame.time)
                for number, one in numbered:
                    self.rows.write(face_row(video.name, one, frame.number, frame.time, number))
                    timeline.add(number, frame.time, one.probabilities)
                if not numbered:
                    self.rows.write(empty_row(video.name, NO_FACE, frame.number, frame.time))
                if writer:
                    writer.write(annotate(frame.image, [one for _, one in numbered]))
                if frame.time - told >= CAMERA_LINE_SECONDS and not video.count:
                    words = (
                        "; ".join(described(one, number) for number, one in numbered) or "no face"
                    )
                    tqdm.write(f"{video.name}, {frame.time:.0f} s: {words}")
                    told = frame.time
                count, faces = count + 1, faces + len(numbered)
                bar.update()
                if self.seconds is not None and frame.time >= self.seconds:
                    break
        self.faces += faces
        self.without += not faces
        speed = count / max(time.monotonic() - began, 1e-9)
        broken = f", {video.broken} broken frames left out" if video.broken else ""
        tqdm.write(
            f"{video.name}: {count:,} frames{broken}, {speed:.1f} frames/s; {timeline.summary()}"
        )

    def _answered(self, frames: Iterator[Any], at_once: int) -> Iterator[tuple[Any, ...]]:
        """Frames with their faces.

        Those of a file are read some at a time, those of a camera as they come.
        """
        while some := list(itertools.islice(frames, at_once)):
            yield from zip(
                some, self.recognizer.predict_many([frame.image for frame in some]), strict=True
            )


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def described(expression: Expression, number: int | None = None) -> str:
    """A face in words, the likeliest classes first."""
    ranked = sorted(expression.probabilities.items(), key=lambda pair: -pair[1])
    others = ", ".join(f"{name} {p:.0%}" for name, p in ranked[1:4] if p >= SHOWN_SHARE)
    left, top, right, bottom = np.round(expression.box).astype(int)
    who = f"face {number}: " if number else ""
    unsure = " (unsure)" if expression.confidence < UNSURE else ""
    rest = f" ({others})" if others else ""
    return (
        f"{who}{ranked[0][0]} {ranked[0][1]:.0%}{unsure}{rest} at {left},{top} to {right},{bottom}"
    )
