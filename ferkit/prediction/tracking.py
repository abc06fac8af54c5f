"""Faces over time.

Who is the same from frame to frame, and what of their probabilities is more than flicker.
"""

import dataclasses
import math
from typing import Any

import numpy as np

from ferkit.recognition.recognizer import Expression

SMOOTHING_SECONDS = 0.4  # after so long an old frame counts a third of a new one
FORGET_SECONDS = 1.0  # a face unseen for longer comes back as another
LEAST_OVERLAP = 0.2


@dataclasses.dataclass
class Track:
    """A face followed through a video.

    Attributes:
        number: from 1, in the order of appearance.
        box: where it was seen last.
        time: when, in s.
        probabilities: class name -> smoothed probability.
    """

    number: int
    box: tuple[float, float, float, float]
    time: float
    probabilities: dict[str, float]


class Tracker:
    """Numbers faces and smooths their probabilities.

    A face goes to the track whose last box overlaps its own most (intersection over union); pairs
    are taken greedily, the best first. Memory is that of the faces in sight.

    Args:
        seconds: time constant of the exponential smoothing; 0: none.

    Example:
        >>> tracker = Tracker()
        >>> for time, expressions in frames:
        ...     numbered = tracker.follow(expressions, time)
    """

    def __init__(self, seconds: float = SMOOTHING_SECONDS) -> None:
        self.seconds, self._tracks, self._count = seconds, [], 0

    def follow(self, expressions: list[Expression], time: float) -> list[tuple[int, "object"]]:
        """The faces of the next frame as (number, expression with smoothed probabilities and
        label), in their order.

        Args:
            expressions: of ``Recognizer.predict``.
            time: of the frame in s, not before the last one's.
        """
        self._tracks = [track for track in self._tracks if time - track.time <= FORGET_SECONDS]
        pairs = sorted(
            (
                (overlap(track.box, one.box), t, e)
                for t, track in enumerate(self._tracks)
                for e, one in enumerate(expressions)
            ),
            reverse=True,
        )
        chosen, taken = {}, set()
        for share, t, e in pairs:
            if share >= LEAST_OVERLAP and e not in chosen and t not in taken:
                chosen[e] = self._tracks[t]
                taken.add(t)
        return [self._followed(one, chosen.get(e), time) for e, one in enumerate(expressions)]

    def _followed(
        self, one: Expression, track: Track | None, time: float
    ) -> tuple[int, Expression]:
        if track is None:
            self._count += 1
            track = Track(self._count, one.box, time, one.probabilities)
            self._tracks.append(track)
        else:
            kept = math.exp(-(time - track.time) / self.seconds) if self.seconds else 0.0
            old, new = track.probabilities, one.probabilities
            track.probabilities = {name: kept * old[name] + (1 - kept) * new[name] for name in new}
            track.box, track.time = one.box, time
        smoothed = track.probabilities
        return track.number, dataclasses.replace(
            one, probabilities=dict(smoothed), label=max(smoothed, key=smoothed.get)
        )


def overlap(one: tuple[Any, ...], other: tuple[Any, ...]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    one, other = np.asarray(one), np.asarray(other)
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = np.prod(np.maximum(high - low, 0.0))
    areas = np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])
    return float(shared / max(areas - shared, 1e-9))
