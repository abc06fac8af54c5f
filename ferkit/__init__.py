"""Facial expression recognition: what the models share, from recipes to the command line.

Example:
    >>> from ferkit import Recognizer
    >>> Recognizer().predict("photo.jpg")[0].label
    'happy'
"""

from typing import TYPE_CHECKING, Any

from ferkit.process import imported

if TYPE_CHECKING:
    from ferkit.errors import UserError
    from ferkit.prediction.dataframe import to_dataframe
    from ferkit.prediction.stream import StreamFrame
    from ferkit.recognition.detectors import register_detector
    from ferkit.recognition.faces import Face
    from ferkit.recognition.photos import PhotoError, read_photo
    from ferkit.recognition.recognizer import Recognizer
    from ferkit.recognition.results import Expression, Faces

__all__ = [
    "Expression",
    "Face",
    "Faces",
    "PhotoError",
    "Recognizer",
    "StreamFrame",
    "UserError",
    "read_photo",
    "register_detector",
    "to_dataframe",
]
_MODULES = {
    "Expression": "ferkit.recognition.results",
    "Face": "ferkit.recognition.faces",
    "Faces": "ferkit.recognition.results",
    "PhotoError": "ferkit.recognition.photos",
    "Recognizer": "ferkit.recognition.recognizer",
    "StreamFrame": "ferkit.prediction.stream",
    "UserError": "ferkit.errors",
    "read_photo": "ferkit.recognition.photos",
    "register_detector": "ferkit.recognition.detectors",
    "to_dataframe": "ferkit.prediction.dataframe",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that --help does not wait for NumPy."""
    if name in _MODULES:
        return imported(f"{_MODULES[name]}:{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted({*globals(), *__all__})
