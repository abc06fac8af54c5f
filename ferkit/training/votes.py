"""FER+ votes as class probabilities."""

import numpy as np

from ferkit.errors import UserError
from ferkit.evaluation.metrics import softmax
from generate_data.readers.ferplus import VOTE_NAMES

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


def translated_votes(
    votes: np.ndarray, targets: np.ndarray, ridge: float = 1e-3, steps: int = 25
) -> np.ndarray:
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
    penalty = np.where(np.arange(kinds) < kinds - 1, ridge, 1e-9)[:, None] * np.ones(
        classes
    )  # the intercepts go free
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
        step = np.linalg.solve(
            curvature.reshape(size, size) + np.diag(penalty.ravel()), gradient.ravel()
        )
        weights -= step.reshape(kinds, classes)
        if np.abs(step).max() < 1e-8:
            break
    return softmax(inputs @ weights)


def class_votes(split) -> np.ndarray:
    """The votes for each of the dataset's classes: int ``(rows, classes)``; raises as ``row_targets``."""
    if split.votes is None:
        raise UserError(
            "--vote_weight: the dataset has no FER+ votes; run setup again with --ferplus fer2013new.csv, or train without: "
            "--vote_weight 0 --label_smoothing 0.1."
        )
    columns = {
        VOTED_CLASSES[name]: place for place, name in enumerate(VOTE_NAMES) if name in VOTED_CLASSES
    }
    if not set(columns) & set(split.class_names):
        raise UserError(
            f"--vote_weight: FER+ votes on {', '.join(columns)}, and the dataset has none of these classes, but "
            f"{', '.join(split.class_names)}; drop the flag."
        )
    votes = np.zeros((len(split.labels), len(split.class_names)), split.votes.dtype)
    for place, name in enumerate(split.class_names):
        if name in columns:
            votes[:, place] = split.votes[:, columns[name]]
    return votes
