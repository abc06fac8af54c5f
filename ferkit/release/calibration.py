"""Temperature scaling: one number that makes a model's probabilities mean what they say, folded into its last layer."""

import numpy as np

from ferkit.evaluation.metrics import averaged, expected_calibration_error
from ferkit.models.interface import LAST_LAYER

HALVINGS = 20
_LOWEST, _HIGHEST, _STEPS = -3.0, 3.0, 60  # of the search for log T
_GOLDEN = (5**0.5 - 1) / 2


def fit_temperature(views: np.ndarray, labels: np.ndarray) -> float:
    """The T above 0 that makes the probabilities fit the labels best, whether one view is asked for or the average over all.

    It has the least sum of two mean cross-entropies, of the first view alone (Guo et al., arXiv 1706.04599, section 4.2) and of
    the average: averaging makes a model less sure, so a T for one of them would be wrong for the other. Golden-section search.

    Args:
        views: float ``(views, rows, classes)``, logits; one view and one row at least.
        labels: int ``(rows,)``.
    """
    views = views.astype(np.float64)

    def loss(log_temperature):
        sets = [views[:1], views] if len(views) > 1 else [views]
        chosen = [
            averaged(some / np.exp(log_temperature))[np.arange(len(labels)), labels]
            for some in sets
        ]
        return -sum(np.log(p + 1e-12).mean() for p in chosen)

    low, high = _LOWEST, _HIGHEST
    for _ in range(_STEPS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


def held_out_errors(views: np.ndarray, labels: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Expected calibration error on one half of the rows with the temperature fitted on the other: of the first view, and of the
    average over all; means over ``HALVINGS`` random halvings, both ways each.

    Args:
        views: as of ``fit_temperature``; two rows at least.
        labels: int ``(rows,)``.
        seed: decides the halves.
    """
    numbers, errors = np.random.default_rng(seed), []
    for _ in range(HALVINGS):
        order = numbers.permutation(len(labels))
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        for fitted, measured in (halves, halves[::-1]):
            temperature = fit_temperature(views[:, fitted], labels[fitted])
            shown = (
                averaged(views[:1, measured] / temperature),
                averaged(views[:, measured] / temperature),
            )
            errors.append([expected_calibration_error(one, labels[measured]) for one in shown])
    return tuple(float(error) for error in np.mean(errors, axis=0))


def errors_if_perfect(views: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """What ``held_out_errors`` would be of probabilities that are right: the labels are drawn from the probabilities themselves.

    It is not 0: on so few rows a bin's share of right answers differs from its confidence by chance.

    Args:
        views: calibrated logits; else as of ``held_out_errors``.
    """
    numbers, errors = np.random.default_rng(seed), []
    shown = averaged(views[:1]), averaged(views)
    for _ in range(2 * HALVINGS):
        half = numbers.permutation(views.shape[1])[: views.shape[1] // 2]
        draws = numbers.random((len(half), 1))
        drawn = [(p[half].cumsum(axis=1)[:, :-1] < draws).sum(axis=1) for p in shown]
        errors.append(
            [
                expected_calibration_error(p[half], labels)
                for p, labels in zip(shown, drawn, strict=True)
            ]
        )
    return tuple(float(error) for error in np.mean(errors, axis=0))


def fold_temperature(model, temperature: float):
    """Divide a model's logits by T, in its last layer's weights: whoever computes with it, in whatever form, has it.

    Args:
        model: a Keras model of ours.
        temperature: T, above 0.
    """
    layer = model.get_layer(LAST_LAYER)
    for name in ("kernel", "bias", "gamma", "beta"):
        weight = getattr(layer, name, None)
        if weight is not None:
            weight.assign(weight / temperature)
