"""What a row is trained towards: its class or the votes of FER+ annotators, weighted by class."""

import numpy as np
import tensorflow as tf

from ferkit.training.teachers import teacher_probabilities
from ferkit.training.votes import class_votes, translated_votes


def row_targets(split, vote_weight: float = 0.0, vote_kind: str = "shares") -> np.ndarray:
    """The target of each row, before class weights and label smoothing.

    (1 - vote_weight) * one-hot label + vote_weight * what the row's votes say of each class. A row without votes keeps its own
    label only.

    Args:
        split: a ``dataset.Split``, with votes where vote_weight is above 0.
        vote_weight: in [0, 1].
        votes: "shares": the row's share of votes for each class (arXiv 1608.01041, section 3.4, at vote_weight 1). Votes for
            contempt, unknown and no face (NF) are left out, and so are those for classes that the dataset lacks; the shares are
            of the votes that remain. "translated": how probable each label is, given all ten kinds of votes, see
            ``translated_votes``: FER+ annotators and FER2013's labels agree on two images of three only: a third of the
            votes say neutral, a sixth of the labels. A model should answer as the labels do.

    Returns:
        float64 ``(rows, classes)``; each row sums to 1.

    Raises:
        UserError: no votes, or none of the dataset's classes is one that FER+ votes on.
    """
    targets = np.eye(len(split.class_names))[split.labels]
    if not vote_weight:
        return targets
    counts = class_votes(split)
    if vote_kind == "translated":
        said = np.where(
            split.votes.sum(axis=1, keepdims=True) > 0,
            translated_votes(split.votes, targets),
            targets,
        )
    else:
        total = counts.sum(axis=1, keepdims=True)
        said = np.where(total > 0, counts / np.maximum(total, 1), targets)
    return (1.0 - vote_weight) * targets + vote_weight * said


def class_weights(labels: np.ndarray, kind: str, classes: int) -> np.ndarray:
    """The weight of each class in the loss: float64 ``(classes,)``.

    Args:
        labels: int ``(rows,)``.
        kind: "none": all 1; "balanced": rows / (classes that occur * rows of the class), so that the mean over the rows is 1.
        classes: how many there are; one without rows has weight 1.

    Example:
        >>> class_weights(np.array([0, 0, 0, 1]), "balanced", 2)
        array([0.66666667, 2.        ])
    """
    weights = np.ones(classes)
    if kind == "balanced":
        counts = np.bincount(labels, minlength=classes)
        occurs = counts > 0
        weights[occurs] = len(labels) / (occurs.sum() * counts[occurs])
    return weights


def _target_taker(split, recipe, answers):
    """A function from row numbers to weighted targets, targets and the dataset's own labels, in TensorFlow's graph."""
    targets = row_targets(split, recipe.vote_weight, recipe.vote_kind)
    if recipe.teacher:
        share = recipe.teacher_weight
        targets = (1.0 - share) * targets + share * teacher_probabilities(
            split, recipe.teacher, answers
        )
    weights = class_weights(split.labels, recipe.class_weights, len(split.class_names))[
        split.labels
    ]
    plain, weighted = (
        tf.constant(table, tf.float32) for table in (targets, targets * weights[:, None])
    )
    labels = tf.constant(split.labels)
    return lambda rows: (tf.gather(weighted, rows), tf.gather(plain, rows), tf.gather(labels, rows))
