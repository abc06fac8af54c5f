"""Face detectors by name: those built in, and those that users plug in.

A plug-in is registered in Python (``register_detector``) or by an installed package, as an entry
point of the group ``deep_emotion_keras.detectors``.
"""

from pathlib import Path
from typing import Literal, get_args

import numpy as np

from ferkit.errors import UserError, nearest
from ferkit.recognition.detector_plugins import (
    ENTRY_POINTS,
    DetectorFactory,
    entry_point_factory,
    entry_point_names,
    made_by,
)
from ferkit.recognition.faces import Detector, Face
from ferkit.recognition.yunet import YuNet

__all__ = [
    "DETECTORS",
    "ENTRY_POINTS",
    "Detector",
    "DetectorFactory",
    "DetectorName",
    "Face",
    "WholePhoto",
    "make_detector",
    "register_detector",
]

DetectorName = Literal["auto", "yunet", "none"]
DETECTORS: tuple[DetectorName, ...] = get_args(DetectorName)  # those built in
_registered: dict[str, DetectorFactory] = {}


class WholePhoto:
    """No detector: every photo is one cropped face."""

    name = "none"

    def __call__(self, photo: np.ndarray) -> list[Face]:
        """One face that covers the photo."""
        height, width = photo.shape[:2]
        side = max(height, width)
        left, top = (width - side) / 2, (height - side) / 2
        return [Face((left, top, left + side, top + side), 1.0)]


def register_detector(name: str, factory: DetectorFactory) -> None:
    """Make a detector available by a name; a second one of that name replaces the first.

    Args:
        name: for ``make_detector``, ``Recognizer`` and ``--detector``; not one of ``DETECTORS``.
        factory: makes the detector, given the value of ``--detector-model`` (None if there is
            none). It is called once for each thread that detects faces.

    Raises:
        UserError: the name is built in or empty, or the factory cannot be called.

    Example:
        >>> register_detector("mine", lambda model: MyDetector())
        >>> Recognizer(detector="mine")
    """
    if name in DETECTORS:
        raise UserError(f"detector {name}", "is built in", "register it with another name")
    if not name or name != name.strip():
        raise UserError(f"detector {name!r}", "not a name", "give one without spaces at its ends")
    if not callable(factory):
        problem = f"its factory cannot be called (it is of type {type(factory).__name__})"
        raise UserError(f"detector {name}", problem, "give a function or a class")
    _registered[name] = factory


def make_detector(
    name: str = "auto",
    model: str | Path | None = None,
    threads: int | None = None,
    size: int | None = None,
) -> Detector:
    """The detector of that name.

    Args:
        name: one of ``DETECTORS`` ("auto" is YuNet), or the name of a plug-in.
        model: a file that replaces the included model; a plug-in receives it.
        threads: number of threads of YuNet; None: as many as make one photo fastest.
        size: longest side at which YuNet searches photos, in pixels; None: see ``yunet.YuNet``.

    Raises:
        UserError: the name is unknown, the model cannot be used, or the plug-in fails;
            or `size` is out of range, or not for this detector.
    """
    if size is not None and name not in ("auto", "yunet"):
        problem = f"has no meaning for the detector {name}"
        raise UserError(f"--detector-size {size}", problem, "omit it, or select yunet")
    if name == "none":
        return WholePhoto()
    if name in DETECTORS:
        return YuNet(model, threads=threads, size=size)
    factory = _registered.get(name) or entry_point_factory(name)
    if factory is None:
        known = tuple(dict.fromkeys((*DETECTORS, *_registered, *entry_point_names())))
        problem = f"unknown{nearest(name, known)}"
        raise UserError(f"--detector {name}", problem, f"choose from {', '.join(known)}")
    return made_by(name, factory, model)
