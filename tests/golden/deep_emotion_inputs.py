"""Weights and images of the golden values for Deep-Emotion, drawn by seed.

Made here for the script and the test alike.
"""

import numpy as np

KERNELS = {  # name: shape as Keras keeps it
    "localization_conv1": (7, 7, 1, 8),
    "localization_conv2": (5, 5, 8, 10),
    "localization_dense": (640, 32),
    "localization_theta": (32, 6),
    "conv1": (3, 3, 1, 10),
    "conv2": (3, 3, 10, 10),
    "conv3": (3, 3, 10, 10),
    "conv4": (3, 3, 10, 10),
    "dense": (810, 50),
    "logits": (50, 7),
}


def weights():
    """name -> (kernel, bias), drawn by seed."""
    numbers = np.random.RandomState(7)
    drawn = {}
    for name, shape in KERNELS.items():
        scale = 0.02 if name == "localization_theta" else 1.0 / np.sqrt(np.prod(shape[:-1]))
        drawn[name] = (
            numbers.normal(0, scale, shape).astype("float32"),
            numbers.normal(0, 0.05, shape[-1]).astype("float32"),
        )
    theta_kernel, theta_bias = drawn["localization_theta"]
    drawn["localization_theta"] = (
        theta_kernel,
        theta_bias + np.array([1, 0, 0, 0, 1, 0], "float32"),
    )
    statistics = {
        "gamma": numbers.uniform(0.5, 1.5, 10),
        "beta": numbers.normal(0, 0.1, 10),
        "moving_mean": numbers.normal(0, 0.1, 10),
        "moving_variance": numbers.uniform(0.5, 1.5, 10),
    }
    return drawn, {name: value.astype("float32") for name, value in statistics.items()}


def images():
    """Smooth images (4, 48, 48, 1) in 0..255."""
    coarse = np.random.RandomState(8).uniform(0, 255, (4, 12, 12, 1))
    return np.kron(coarse, np.ones((1, 4, 4, 1))).astype("float32")
