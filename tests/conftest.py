"""Shared by all tests: TensorFlow set up as the program does it, and small drawn data."""

import numpy as np
import pytest

from ferkit.quiet import import_tensorflow

import_tensorflow()

CLASS_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def toy_images(labels, rng, size=48):
    """Noise with a bright bar whose place tells the class: easy, but not for a model that learned nothing."""
    images = rng.integers(0, 80, (len(labels), size, size, 1))
    for image, label in zip(images, labels, strict=True):
        image[4 + 6 * label : 8 + 6 * label, 6:-6] += 150
    return images.astype(np.uint8)


@pytest.fixture
def toy_split(rng):
    """A function that makes a Split of that many rows."""
    from ferkit.dataset import Split

    def make(name="train", count=96, copies=()):
        labels = (np.arange(count) % 7).astype(np.int32)
        kinds = np.array([""] * count, dtype="<U5")
        for row, kind in copies:
            kinds[row] = kind
        return Split(name, toy_images(labels, rng), labels, kinds, np.arange(count), CLASS_NAMES, has_train=True)

    return make
