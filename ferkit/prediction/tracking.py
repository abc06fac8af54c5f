"""Follows faces from frame to frame and smooths their probabilities over time."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from ferkit.recognition.recognizer import Expression

Box = tuple[float, float, float, float]  # left, top, right, bottom

SMOOTHING_SECONDS = 0.4  # after this time, an old frame has exp(-1) of its weight
FORGET_SECONDS = 1.0  # a face that is absent in frames of a longer time gets a new number
MIN_OVERLAP = 0.2


@dataclasses.dataclass
class Track:
    """A face followed through a video.

    Attributes:
        number: number of the face from 1, in the order of appearance.
        box: its last box.
        time: time of that box in seconds.
        probabilities: class name -> smoothed probability.
    """

    number: int
    box: Box
    time: float
    probabilities: dict[str, float]


class Tracker:
    """Numbers faces and smooths their probabilities.

    A face belongs to the track whose last box overlaps its box most (intersection over union).
    Pairs are matched greedily, the largest overlap first. Only recent faces are kept in memory.

    Args:
        seconds: time constant of the exponential smoothing; 0: no smoothing.

    Example:
        >>> tracker = Tracker()
        >>> for time, expressions in frames:
        ...     tracked = tracker.follow(expressions, time)
    """

    def __init__(self, seconds: float = SMOOTHING_SECONDS) -> None:
        self.seconds = seconds
        self._tracks: list[Track] = []
        self._last_time = 0.0  # of the last frame
        self._count = 0

    def follow(
        self, expressions: Sequence[Expression], time: float
    ) -> list[tuple[int, Expression]]:
        """Assign the faces of the next frame to tracks.

        Args:
            expressions: the result of ``Recognizer.predict``.
            time: time of the frame in seconds, not before that of the last frame.

        Returns:
            (number, expression with smoothed probabilities and label) of each face, in order.
        """
        self._tracks = [
            track
            for track in self._tracks
            if time - track.time <= FORGET_SECONDS or track.time == self._last_time
        ]
        self._last_time = time
        pairs = sorted(
            (
                (overlap(track.box, expression.box), t, e)
                for t, track in enumerate(self._tracks)
                for e, expression in enumerate(expressions)
            ),
            reverse=True,
        )
        matches: dict[int, Track] = {}  # index of a face -> its track
        matched_tracks = set()
        for share, t, e in pairs:
            if share >= MIN_OVERLAP and e not in matches and t not in matched_tracks:
                matches[e] = self._tracks[t]
                matched_tracks.add(t)
        return [
            self._update(expression, matches.get(e), time)
            for e, expression in enumerate(expressions)
        ]

    def _update(
        self, expression: Expression, track: Track | None, time: float
    ) -> tuple[int, Expression]:
        """Add a face to its track, or to a new one if `track` is None."""
        if track is None:
            self._count += 1
            track = Track(self._count, expression.box, time, expression.probabilities)
            self._tracks.append(track)
        else:
            weight = math.exp(-(time - track.time) / self.seconds) if self.seconds else 0.0
            old, new = track.probabilities, expression.probabilities
            track.probabilities = {
                name: weight * old[name] + (1 - weight) * new[name] for name in new
            }
            track.box, track.time = expression.box, time
        smoothed = dict(track.probabilities)
        label = max(smoothed, key=lambda name: smoothed[name])
        return track.number, dataclasses.replace(expression, probabilities=smoothed, label=label)


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    a, b = np.asarray(first), np.asarray(second)
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    intersection = np.prod(np.maximum(high - low, 0.0))
    areas = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])
    return float(intersection / max(areas - intersection, 1e-9))
