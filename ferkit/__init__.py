"""What both models share: recipes, input pipeline, training, evaluation, reports, recognition and the command line."""

__all__ = ["Expression", "Recognizer"]


def __getattr__(name):
    """The recognizer is loaded when it is asked for: it brings TensorFlow, which --help does without."""
    if name in __all__:
        from ferkit.recognition import recognizer

        return getattr(recognizer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
