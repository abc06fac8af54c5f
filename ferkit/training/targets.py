"""Training targets: the class, FER+ votes, and predictions of teachers, weighted by class."""

from pathlib import Path

import numpy as np

from ferkit.input_pipeline.batches import Targets
from ferkit.input_pipeline.dataset import Split
from ferkit.recipes.recipe import Recipe
from ferkit.training.teachers import teacher_probabilities
from ferkit.training.votes import class_votes, translated_votes


def training_targets(
    split: Split, recipe: Recipe, teacher_predictions: Path | None = None
) -> Targets:
    """The targets of all rows of a split, as a recipe defines them.

    Teachers that predict augmented images are added by the training step (``BatchTeachers``).

    Args:
        split: the training rows.
        recipe: hyperparameters.
        teacher_predictions: file that stores the teachers' predictions; None: they are not stored.

    Raises:
        UserError: votes or teachers that the recipe needs are missing or do not fit.
    """
    targets = row_targets(split, recipe.vote_weight, recipe.vote_kind)
    if recipe.teacher and recipe.teacher_images == "original":
        weight = recipe.teacher_weight
        predictions = teacher_probabilities(split, recipe.teacher, teacher_predictions)
        targets = (1.0 - weight) * targets + weight * predictions
    weights = class_weights(split.labels, recipe.class_weights, len(split.class_names))
    return Targets(targets, targets * weights[split.labels][:, None])


def row_targets(split: Split, vote_weight: float = 0.0, vote_kind: str = "shares") -> np.ndarray:
    """The target of each row, before class weights and label smoothing.

    (1 - vote_weight) * one-hot label + vote_weight * class probabilities of the row's votes. A row
    without votes keeps its label only.

    Args:
        split: rows; with votes if vote_weight is above 0.
        vote_weight: in [0, 1].
        vote_kind: "shares": the fraction of votes for each class (arXiv 1608.01041, section 3.4, at
            vote_weight 1). Votes for unknown, no face (NF) and classes that the dataset
            lacks are left out. "translated": the probability of each label given all ten kinds of
            votes, see ``translated_votes``. FER+ votes and FER2013's labels agree on only two of
            three images: a third of the votes are neutral, a sixth of the labels.

    Returns:
        float64 ``(rows, classes)``; each row sums to 1.

    Raises:
        UserError: the split has no votes, or FER+ has none of the dataset's classes.
    """
    targets = np.eye(len(split.class_names))[split.labels]
    if not vote_weight:
        return targets
    counts = class_votes(split)
    if vote_kind == "translated":
        votes = np.asarray(split.votes)
        voted = votes.sum(axis=1, keepdims=True) > 0
        probabilities = np.where(voted, translated_votes(votes, targets), targets)
    else:
        total = counts.sum(axis=1, keepdims=True)
        probabilities = np.where(total > 0, counts / np.maximum(total, 1), targets)
    return (1.0 - vote_weight) * targets + vote_weight * probabilities


def class_weights(labels: np.ndarray, kind: str, classes: int) -> np.ndarray:
    """The weight of each class in the loss: float64 ``(classes,)``.

    Args:
        labels: int ``(rows,)``.
        kind: "none": all 1; "balanced": rows / (number of classes that occur * rows of the class),
            so that the mean over the rows is 1.
        classes: number of classes; one without rows has weight 1.

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
