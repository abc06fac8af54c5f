"""Temperature scaling: one number that calibrates a model, merged into its last layer."""

import keras
import numpy as np

from ferkit.evaluation.metrics import expected_calibration_error, mean_probabilities
from ferkit.models.interface import LAST_LAYER

HALVINGS = 20
MIN_IMAGES = 100  # a temperature of fewer images is too uncertain: no calibration is better
_LOWEST, _HIGHEST, _STEPS = -3.0, 3.0, 60  # range and steps of the search for log T
_GOLDEN = (5**0.5 - 1) / 2


def fit_temperature(views: np.ndarray, labels: np.ndarray) -> float:
    """The temperature T > 0 that fits the labels best, for one view and for the average of all.

    It minimizes the sum of two mean cross-entropies, of the first view (Guo et al., arXiv
    1706.04599, section 4.2) and of the average. Averaging lowers confidence, so a temperature for
    one of them would be wrong for the other. Found by golden-section search.

    Args:
        views: logits, float ``(views, rows, classes)``, at least one view and one row.
        labels: int ``(rows,)``.
    """
    views = views.astype(np.float64)

    def loss(log_temperature: float) -> float:
        sets = [views[:1], views] if len(views) > 1 else [views]
        chosen = [
            mean_probabilities(logits / np.exp(log_temperature))[np.arange(len(labels)), labels]
            for logits in sets
        ]
        return -float(sum(np.log(p + 1e-12).mean() for p in chosen))

    low, high = _LOWEST, _HIGHEST
    for _ in range(_STEPS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


def held_out_errors(views: np.ndarray, labels: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Expected calibration error on one half of the rows, with the temperature of the other half.

    Args:
        views: logits as for ``fit_temperature``; at least two rows.
        labels: int ``(rows,)``.
        seed: determines the halves.

    Returns:
        The error of the first view and of the average, as means over ``HALVINGS`` random halvings
        in both directions.
    """
    numbers, errors = np.random.default_rng(seed), []
    for _ in range(HALVINGS):
        order = numbers.permutation(len(labels))
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        for fitted, measured in (halves, halves[::-1]):
            temperature = fit_temperature(views[:, fitted], labels[fitted])
            predictions = (
                mean_probabilities(views[:1, measured] / temperature),
                mean_probabilities(views[:, measured] / temperature),
            )
            errors.append(
                [expected_calibration_error(each, labels[measured]) for each in predictions]
            )
    first, average = np.mean(errors, axis=0)
    return float(first), float(average)


def errors_if_perfect(views: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """``held_out_errors`` of a perfectly calibrated model: labels are drawn from its probabilities.

    It is not 0: with few rows, the accuracy of a bin differs from its confidence by chance.

    Args:
        views: calibrated logits, otherwise as for ``held_out_errors``.
        seed: determines the halves and the labels.
    """
    numbers, errors = np.random.default_rng(seed), []
    predictions = mean_probabilities(views[:1]), mean_probabilities(views)
    for _ in range(2 * HALVINGS):
        half = numbers.permutation(views.shape[1])[: views.shape[1] // 2]
        draws = numbers.random((len(half), 1))
        drawn = [(p[half].cumsum(axis=1)[:, :-1] < draws).sum(axis=1) for p in predictions]
        errors.append(
            [
                expected_calibration_error(p[half], labels)
                for p, labels in zip(predictions, drawn, strict=True)
            ]
        )
    first, average = np.mean(errors, axis=0)
    return float(first), float(average)


def merge_temperature(model: keras.Model, temperature: float) -> None:
    """Divide the weights of the last layer by T, so that every runtime computes calibrated logits.

    Args:
        model: a model of this program.
        temperature: T, above 0.
    """
    layer = model.get_layer(LAST_LAYER)
    for name in ("kernel", "bias", "gamma", "beta"):
        weight = getattr(layer, name, None)
        if weight is not None:
            weight.assign(weight / temperature)
