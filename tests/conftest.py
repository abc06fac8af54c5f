"""Shared by all tests: TensorFlow set up as the program does it, and small drawn data."""

import numpy as np
import pytest

from ferkit.tensorflow_runtime import import_tensorflow
from tests.support.toy_data import CLASS_NAMES, toy_images

import_tensorflow()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def toy_split(rng):
    """A function that makes a Split of that many rows."""
    from ferkit.input_pipeline.dataset import Split

    def make(name="train", count=96, copies=()):
        labels = (np.arange(count) % 7).astype(np.int32)
        kinds = np.array([""] * count, dtype="<U5")
        for row, kind in copies:
            kinds[row] = kind
        return Split(
            name,
            toy_images(labels, rng),
            labels,
            kinds,
            np.arange(count),
            CLASS_NAMES,
            has_train=True,
        )

    return make
