"""Plots the probabilities of a video's faces over time."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ferkit.files import written_atomically
from ferkit.prediction.annotate import class_color
from ferkit.prediction.timeline import Timeline

MAX_SHOWN = 4  # tracks in a plot, the longest ones


def draw_timeline(timeline: Timeline, path: str | Path, title: str, tag: str = "") -> None:
    """Write a PNG plot of the longest tracks, one below the other.

    Args:
        timeline: the tracks.
        path: the file to write.
        title: the title of the plot.
        tag: a text for the file's comment, see ``OutputNames.tag``.
    """
    by_length = sorted(timeline.tracks, key=lambda key: -timeline.tracks[key].faces)
    shown = sorted(by_length[:MAX_SHOWN])
    figure = Figure(figsize=(9, 1.2 + 1.9 * len(shown)), layout="constrained")
    axes = figure.subplots(len(shown), 1, squeeze=False, sharex=True)[:, 0]
    for axis, number in zip(axes, shown, strict=True):
        _draw_track(timeline, axis, number)
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
        figure.savefig(draft, format="png", dpi=110, metadata={"Comment": tag})


def _draw_track(timeline: Timeline, axis: Axes, number: int) -> None:
    times, curves = timeline.curve(number)
    # A line is interrupted while the face is absent, and not by frames that are far apart.
    steps = np.diff(times)
    usual = float(np.median(steps)) if len(steps) else 0.0
    longest = max(3 * timeline.tracks[number].width + 0.5, 3 * usual)
    gaps = np.flatnonzero(steps > longest) + 1
    times, curves = np.insert(times, gaps, np.nan), np.insert(curves, gaps, np.nan, axis=0)
    for name, curve in zip(timeline.class_names, curves.T, strict=True):
        red, green, blue = class_color(timeline.class_names, name)
        color = (red / 255, green / 255, blue / 255)
        axis.plot(times, curve, label=name, color=color, linewidth=1.6)
    axis.set_ylim(0, 1)
    axis.set_ylabel(f"face {number}")
    axis.grid(alpha=0.25)
