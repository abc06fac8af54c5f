"""What a model package provides to ferkit."""

LAST_LAYER = "logits"


def folded(model):
    """The model as it is kept and used: the same numbers, without what only its training needs."""
    return model.folded() if hasattr(model, "folded") else model


def exportable(model):
    """The same numbers in operations that every runtime has."""
    return model.for_export() if hasattr(model, "for_export") else model
