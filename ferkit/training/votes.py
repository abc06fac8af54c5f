"""FER+ votes as class probabilities."""

import numpy as np

from ferkit.errors import UserError
from ferkit.evaluation.metrics import softmax
from ferkit.input_pipeline.dataset import Split
from generate_data.labels import FERPLUS


def translated_votes(
    votes: np.ndarray, targets: np.ndarray, ridge: float = 1e-3, steps: int = 25
) -> np.ndarray:
    """The probability of each label given the votes.

    A multinomial logistic regression is fitted on these rows.

    Args:
        votes: int ``(rows, kinds)``; rows without votes are left out of the fit.
        targets: one-hot labels ``(rows, classes)``.
        ridge: weight of the squared coefficients, added to the mean cross-entropy.
        steps: maximum number of steps of Newton's method.

    Returns:
        float64 ``(rows, classes)``; each row sums to 1, and over the fitted rows the mean of each
        class is its fraction of the labels.
    """
    shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    inputs = np.concatenate([shares, np.ones((len(votes), 1))], axis=1)
    voted = votes.sum(axis=1) > 0
    fitted, labels = inputs[voted], targets[voted]
    kinds, classes = inputs.shape[1], targets.shape[1]
    # The intercepts are not penalized.
    penalty = np.where(np.arange(kinds) < kinds - 1, ridge, 1e-9)[:, None] * np.ones(classes)
    weights = np.zeros((kinds, classes))
    for _ in range(steps):
        p = softmax(fitted @ weights)
        gradient = fitted.T @ (p - labels) / len(fitted) + penalty * weights
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


def class_votes(split: Split) -> np.ndarray:
    """The votes for each of the dataset's classes: int ``(rows, classes)``.

    Raises:
        UserError: the split has no votes, or FER+ has none of the dataset's classes.
    """
    if split.votes is None:
        advice = (
            "run setup again with --ferplus fer2013new.csv, or train without votes: "
            "--vote_weight 0 --label_smoothing 0.1"
        )
        raise UserError("--vote_weight", "the dataset has no FER+ votes", advice)
    columns = {name: index for index, name in enumerate(FERPLUS)}
    if not set(columns) & set(split.class_names):
        voted, names = ", ".join(columns), ", ".join(split.class_names)
        problem = f"FER+ votes are for {voted}; the dataset's classes are {names}"
        raise UserError("--vote_weight", problem, "remove the flag")
    votes = np.zeros((len(split.labels), len(split.class_names)), split.votes.dtype)
    for index, name in enumerate(split.class_names):
        if name in columns:
            votes[:, index] = split.votes[:, columns[name]]
    return votes
