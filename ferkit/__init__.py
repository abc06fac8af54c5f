"""Facial expression recognition: what the models share, from recipes to the command line.

Example:
    >>> from ferkit import Recognizer
    >>> Recognizer().predict("photo.jpg")[0].label
    'happy'
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ferkit.recognition.recognizer import Expression, Recognizer

__all__ = ["Expression", "Recognizer"]


def __getattr__(name: str) -> Any:
    """Import the recognizer on first use, so that --help does not wait for NumPy."""
    if name in __all__:
        from ferkit.recognition import recognizer  # late: see above

        return getattr(recognizer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
