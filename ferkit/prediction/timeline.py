"""Collects the probabilities of a video's faces over time, in constant memory for any length."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

MAX_POINTS = 1024  # of a track; neighbors are averaged if there are more


@dataclasses.dataclass
class TrackHistory:
    """The probabilities of a track, summed over time intervals of equal width.

    Attributes:
        start: time of the first face in seconds.
        width: width of an interval in seconds.
        sums: float32 ``(MAX_POINTS, classes)``, sum of the probabilities in each interval.
        counts: int64 ``(MAX_POINTS,)``, number of faces in each interval.
        faces: number of faces in all intervals.
    """

    start: float
    width: float
    sums: np.ndarray
    counts: np.ndarray
    faces: int = 0

    def add(self, time: float, probabilities: Sequence[float]) -> None:
        """Add a face; the intervals are widened when they no longer cover its time."""
        while (index := int((time - self.start) / self.width)) >= MAX_POINTS:
            self._double_width()
        self.sums[index] += probabilities
        self.counts[index] += 1
        self.faces += 1

    def _double_width(self) -> None:
        half = MAX_POINTS // 2
        self.sums[:half] = self.sums[0::2] + self.sums[1::2]
        self.counts[:half] = self.counts[0::2] + self.counts[1::2]
        self.sums[half:], self.counts[half:], self.width = 0, 0, 2 * self.width


class Timeline:
    """Collects the probabilities of faces by track and time.

    The time intervals grow with the video, so that a track has at most ``MAX_POINTS``.

    Args:
        class_names: names of the classes, in the order of the probabilities.

    Attributes:
        tracks: number -> its history. The shortest is dropped if there are too many.
        dropped: number of tracks that were dropped.
    """

    MAX_TRACKS = 256

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = tuple(class_names)
        self.tracks: dict[int, TrackHistory] = {}
        self.dropped = 0

    def add(self, number: int, time: float, probabilities: Mapping[str, float]) -> None:
        """Add a face.

        Args:
            number: number of its track.
            time: time of the frame in seconds.
            probabilities: class name -> probability.
        """
        if number not in self.tracks:
            if len(self.tracks) >= self.MAX_TRACKS:
                shortest = min(self.tracks, key=lambda key: (self.tracks[key].faces, key))
                del self.tracks[shortest]
                self.dropped += 1
            zeros = np.zeros((MAX_POINTS, len(self.class_names)), np.float32)
            counts = np.zeros(MAX_POINTS, np.int64)
            self.tracks[number] = TrackHistory(time, 1 / 30, zeros, counts)
        self.tracks[number].add(time, [probabilities[name] for name in self.class_names])

    def curve(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Times ``(points,)`` and mean probabilities ``(points, classes)`` of a track."""
        track = self.tracks[number]
        filled = np.flatnonzero(track.counts)
        times = track.start + (filled + 0.5) * track.width
        return times, track.sums[filled] / track.counts[filled, None]

    def summary(self) -> str:
        """The number of faces, and the mean label of the longest track, in a line."""
        if not self.tracks:
            return "no face in any frame"
        count = len(self.tracks) + self.dropped
        longest = max(self.tracks, key=lambda key: self.tracks[key].faces)
        track = self.tracks[longest]
        mean = track.sums.sum(axis=0) / track.faces
        faces = f"{count} {'face' if count == 1 else 'faces'}"
        label = f"{self.class_names[int(mean.argmax())]} {mean.max():.0%} on average"
        return f"{faces}, number {longest} in {track.faces:,} frames: {label}"
