"""Face detectors of users: where they come from, and a check of what they return."""

import importlib.metadata
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ferkit.errors import UserError, first_line
from ferkit.recognition.faces import Detector, Face

ENTRY_POINTS = "deep_emotion_keras.detectors"  # group of the entry points
DetectorFactory = Callable[[str | Path | None], Detector]
_RETURN_FACES = "return a list of ferkit.recognition.Face; see docs/prediction.md"


class PluggedIn:
    """A user's detector. Its faces are checked and sorted, and its errors become one line.

    Args:
        name: its name.
        find_faces: the user's detector.
    """

    def __init__(self, name: str, find_faces: Callable[[np.ndarray], Any]) -> None:
        self.name, self._find_faces = name, find_faces

    def __call__(self, photo: np.ndarray) -> list[Face]:
        """The faces of an RGB photo, highest score first.

        Raises:
            UserError: the detector fails, or returns something other than faces.
        """
        try:
            found = self._find_faces(photo)
        except UserError:
            raise
        except Exception as error:
            problem = f"fails on a photo of {photo.shape[1]} x {photo.shape[0]} pixels"
            raise _failure(self.name, problem, error) from error
        if not isinstance(found, list | tuple):
            problem = f"returned {type(found).__name__} instead of a list of faces"
            raise UserError(_flag(self.name), problem, _RETURN_FACES)
        return sorted((self._checked(face) for face in found), key=lambda face: -face.score)

    def _checked(self, face: Any) -> Face:
        """A face with plain numbers."""
        if not isinstance(face, Face):
            problem = f"returned {type(face).__name__} instead of a face"
            raise UserError(_flag(self.name), problem, _RETURN_FACES)
        try:
            left, top, right, bottom = (float(edge) for edge in face.box)
            score = float(face.score)
            has_marks = face.landmarks is not None
            marks = np.array(face.landmarks, np.float64) if has_marks else None
        except (TypeError, ValueError) as error:
            raise _failure(self.name, "returned a face without numbers", error) from error
        problem = ""
        if not (math.isfinite(right - left) and math.isfinite(bottom - top)):
            problem = "a box that is not finite"
        elif right <= left or bottom <= top:
            problem = "an empty box; expected left, top, right, bottom"
        elif not 0 <= score <= 1:
            problem = f"a score of {score:g}; expected 0 to 1"
        elif marks is not None and (marks.shape != (5, 2) or not np.isfinite(marks).all()):
            problem = f"landmarks of shape {marks.shape}; expected five finite points, or None"
        if problem:
            raise UserError(_flag(self.name), f"returned a face with {problem}", _RETURN_FACES)
        return Face((left, top, right, bottom), score, marks)


def made_by(name: str, factory: DetectorFactory, model: str | Path | None) -> Detector:
    """The detector that a factory makes.

    Raises:
        UserError: the factory fails, or what it makes cannot be called.
    """
    try:
        detector = factory(model)
    except UserError:
        raise
    except Exception as error:
        raise _failure(name, "cannot be made", error) from error
    if not callable(detector):
        problem = f"its factory returned {type(detector).__name__}, which cannot be called"
        raise UserError(_flag(name), problem, "return a function or an object with __call__")
    return PluggedIn(name, detector)


def entry_point_factory(name: str) -> DetectorFactory | None:
    """The factory that an installed package provides, or None if none does.

    Raises:
        UserError: several packages provide that name, it cannot be imported, or not be called.
    """
    found = list(importlib.metadata.entry_points(group=ENTRY_POINTS, name=name))
    if not found:
        return None
    if len({entry.value for entry in found}) > 1:
        sources = ", ".join(sorted(entry.value for entry in found))
        raise UserError(_flag(name), f"provided more than once: {sources}", "uninstall all but one")
    try:
        factory = found[0].load()
    except Exception as error:  # whatever importing a package raises
        problem = f"{found[0].value} cannot be imported"
        raise _failure(name, problem, error) from error
    if not callable(factory):
        problem = f"{found[0].value} cannot be called (it is of type {type(factory).__name__})"
        raise UserError(_flag(name), problem, "name a function or a class in the entry point")
    made: DetectorFactory = factory
    return made


def entry_point_names() -> tuple[str, ...]:
    """Names of the detectors that installed packages provide, sorted."""
    return tuple(sorted(importlib.metadata.entry_points(group=ENTRY_POINTS).names))


def _flag(name: str) -> str:
    return f"--detector {name}"


def _failure(name: str, problem: str, error: Exception) -> UserError:
    reason = f"{type(error).__name__}: {first_line(error)}"
    return UserError(_flag(name), f"{problem} ({reason})", "correct or update the detector")
