"""The probabilities of a video's faces over time, as a plot.

In constant memory, however long the video is.
"""

import dataclasses
from pathlib import Path

import numpy as np

from ferkit.files import written_atomically

MOST_POINTS = 1024  # of a track; more are averaged in pairs
MOST_SHOWN = 4  # tracks in a plot, the longest ones


@dataclasses.dataclass
class _Track:
    """Sums over equal parts of time.

    Width in s of a part; per part the probabilities' sum and how many.
    """

    start: float
    width: float
    sums: np.ndarray
    counts: np.ndarray
    faces: int = 0
    end: float = 0.0


class Timeline:
    """Collects (track, time, probabilities); parts of time grow as the video goes on, so a track
    never has more than 1,024.

    Args:
        class_names: in the order of the probabilities.

    Attributes:
        tracks: number -> what was collected; short ones are forgotten where there are too many.
    """

    MOST_TRACKS = 256

    def __init__(self, class_names: tuple[str, ...]) -> None:
        self.class_names, self.tracks, self.forgotten = tuple(class_names), {}, 0

    def add(self, number: int, time: float, probabilities: dict[str, float]) -> None:
        """A face of track `number` at `time` in s."""
        if number not in self.tracks:
            if len(self.tracks) >= self.MOST_TRACKS:
                shortest = min(self.tracks, key=lambda key: (self.tracks[key].faces, key))
                del self.tracks[shortest]
                self.forgotten += 1
            zeros = np.zeros((MOST_POINTS, len(self.class_names)), np.float32)
            self.tracks[number] = _Track(time, 1 / 30, zeros, np.zeros(MOST_POINTS, np.int64))
        track = self.tracks[number]
        while (place := int((time - track.start) / track.width)) >= MOST_POINTS:
            half = MOST_POINTS // 2
            track.sums[:half] = track.sums[0::2] + track.sums[1::2]
            track.counts[:half] = track.counts[0::2] + track.counts[1::2]
            track.sums[half:], track.counts[half:], track.width = 0, 0, 2 * track.width
        track.sums[place] += [probabilities[name] for name in self.class_names]
        track.counts[place] += 1
        track.faces, track.end = track.faces + 1, time

    def curve(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Times ``(points,)`` and mean probabilities ``(points, classes)`` of a track."""
        track = self.tracks[number]
        seen = np.flatnonzero(track.counts)
        return track.start + (seen + 0.5) * track.width, track.sums[seen] / track.counts[seen, None]

    def summary(self) -> str:
        """Who was seen, in words: the longest track and its commonest class."""
        if not self.tracks:
            return "no face in any frame"
        count = len(self.tracks) + self.forgotten
        longest = max(self.tracks, key=lambda key: self.tracks[key].faces)
        track = self.tracks[longest]
        mean = track.sums.sum(axis=0) / track.faces
        what = f"{self.class_names[int(mean.argmax())]} {mean.max():.0%} on average"
        return f"{count} {'face' if count == 1 else 'faces'}, number {longest} in {track.faces:,} frames: {what}"

    def draw(self, path: str | Path, title: str) -> None:
        """The longest tracks, one below the other, as a PNG."""
        from matplotlib.figure import Figure

        from ferkit.prediction.annotate import colour_of

        shown = sorted(sorted(self.tracks, key=lambda key: -self.tracks[key].faces)[:MOST_SHOWN])
        figure = Figure(figsize=(9, 1.2 + 1.9 * len(shown)), layout="constrained")
        axes = figure.subplots(len(shown), 1, squeeze=False, sharex=True)[:, 0]
        for axis, number in zip(axes, shown, strict=True):
            times, curves = self.curve(number)
            # A line is broken where the face was out of sight.
            gaps = np.flatnonzero(np.diff(times) > 3 * self.tracks[number].width + 0.5) + 1
            times, curves = np.insert(times, gaps, np.nan), np.insert(curves, gaps, np.nan, axis=0)
            for name, curve in zip(self.class_names, curves.T, strict=True):
                colour = [c / 255 for c in colour_of(self.class_names, name)]
                axis.plot(times, curve, label=name, color=colour, linewidth=1.6)
            axis.set_ylim(0, 1)
            axis.set_ylabel(f"face {number}")
            axis.grid(alpha=0.25)
        axes[0].set_title(title)
        axes[-1].set_xlabel("time in s")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=len(labels),
            frameon=False,
            fontsize=9,
        )
        with written_atomically(path) as draft:
            figure.savefig(draft, format="png", dpi=110)
