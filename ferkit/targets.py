"""What a row is trained towards: its class or the votes of FER+ annotators, weighted by class."""

import numpy as np

from generate_data.ferplus import VOTE_NAMES

from .errors import UserError
from .metrics import softmax

# What FER+ asked for -> our class. Contempt, unknown and NF (no face) are no class of FER2013.
VOTED_CLASSES = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
}


def row_targets(split, soft_labels: float = 0.0, votes: str = "shares") -> np.ndarray:
    """The target of each row, before class weights and label smoothing.

    (1 - soft_labels) * one-hot label + soft_labels * what the row's votes say of each class. A row without votes keeps its own
    label only.

    Args:
        split: a ``dataset.Split``, with votes where soft_labels is above 0.
        soft_labels: in [0, 1].
        votes: "shares": the row's share of votes for each class (arXiv 1608.01041, section 3.4, at soft_labels 1). Votes for
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
    if not soft_labels:
        return targets
    counts = class_votes(split)
    if votes == "translated":
        said = np.where(split.votes.sum(axis=1, keepdims=True) > 0, translated_votes(split.votes, targets), targets)
    else:
        total = counts.sum(axis=1, keepdims=True)
        said = np.where(total > 0, counts / np.maximum(total, 1), targets)
    return (1.0 - soft_labels) * targets + soft_labels * said


def translated_votes(votes: np.ndarray, targets: np.ndarray, ridge: float = 1e-3, steps: int = 25) -> np.ndarray:
    """The probability of each label given the votes, by multinomial logistic regression fitted on these very rows.

    Args:
        votes: int ``(rows, kinds)``; rows without any are left out of the fit.
        targets: one-hot labels ``(rows, classes)``.
        ridge: weight of the squared coefficients beside the mean cross-entropy.
        steps: of Newton's method at most.

    Returns:
        float64 ``(rows, classes)``; each row sums to 1, and over the fitted rows each class's mean is its share of the labels.
    """
    shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    inputs = np.concatenate([shares, np.ones((len(votes), 1))], axis=1)
    fitted, wanted = inputs[votes.sum(axis=1) > 0], targets[votes.sum(axis=1) > 0]
    kinds, classes = inputs.shape[1], targets.shape[1]
    penalty = np.where(np.arange(kinds) < kinds - 1, ridge, 1e-9)[:, None] * np.ones(classes)  # the intercepts go free
    weights = np.zeros((kinds, classes))
    for _ in range(steps):
        p = softmax(fitted @ weights)
        gradient = fitted.T @ (p - wanted) / len(fitted) + penalty * weights
        curvature = np.zeros((kinds, classes, kinds, classes))
        for a in range(classes):
            for b in range(classes):
                share = p[:, a] * ((a == b) - p[:, b])
                curvature[:, a, :, b] = (fitted * share[:, None]).T @ fitted / len(fitted)
        size = kinds * classes
        step = np.linalg.solve(curvature.reshape(size, size) + np.diag(penalty.ravel()), gradient.ravel())
        weights -= step.reshape(kinds, classes)
        if np.abs(step).max() < 1e-8:
            break
    return softmax(inputs @ weights)


def class_votes(split) -> np.ndarray:
    """The votes for each of the dataset's classes: int ``(rows, classes)``; raises as ``row_targets``."""
    if split.votes is None:
        raise UserError(
            "--soft_labels: the dataset has no FER+ votes; run setup again with --ferplus fer2013new.csv, or train without: "
            "--soft_labels 0 --label_smoothing 0.1."
        )
    columns = {VOTED_CLASSES[name]: place for place, name in enumerate(VOTE_NAMES) if name in VOTED_CLASSES}
    if not set(columns) & set(split.class_names):
        raise UserError(
            f"--soft_labels: FER+ votes on {', '.join(columns)}, and the dataset has none of these classes, but "
            f"{', '.join(split.class_names)}; drop the flag."
        )
    votes = np.zeros((len(split.labels), len(split.class_names)), split.votes.dtype)
    for place, name in enumerate(split.class_names):
        if name in columns:
            votes[:, place] = split.votes[:, columns[name]]
    return votes


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
