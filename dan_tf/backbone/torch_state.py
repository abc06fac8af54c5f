"""Copies the tensors of a PyTorch state dict into Keras variables: all of them, or none."""

from collections.abc import Callable, Mapping

import keras
import numpy as np

# Keras's name of a variable -> PyTorch's.
TORCH_NAMES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "bias": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def without_counts(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state dict without PyTorch's counts of batches and the prefix of ``DataParallel``."""
    return {
        name.removeprefix("module."): array
        for name, array in state.items()
        if not name.endswith(".num_batches_tracked")
    }


def assign_state(
    variables: Mapping[str, keras.Variable],
    state: Mapping[str, np.ndarray],
    to_keras: Callable[[str, np.ndarray], np.ndarray],
) -> None:
    """Set every variable from the tensor of the same name.

    Args:
        variables: PyTorch's name -> variable.
        state: PyTorch's name -> tensor.
        to_keras: from name and tensor to the array in Keras's layout.

    Raises:
        ValueError: a name or a shape differs; nothing is changed.
    """
    expected, given = set(variables), set(state)
    for problem, names in (("no", expected - given), ("unknown", given - expected)):
        if names:
            raise ValueError(f"{problem} {min(names)!r}, one of {len(names)} such differences")
    converted = {name: to_keras(name, state[name]) for name in variables}
    for name, variable in variables.items():
        if converted[name].shape != tuple(variable.shape):
            raise ValueError(f"{name!r} has shape {state[name].shape}, in PyTorch's order")
    for name, variable in variables.items():
        variable.assign(converted[name])
