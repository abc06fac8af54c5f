"""Normalization that fits averaged weights."""

import keras
import numpy as np
import pytest

from deep_emotion import DeepEmotion
from ferkit.models.interface import sublayers
from ferkit.training.weight_averaging import estimate_normalization


@pytest.fixture
def faces():
    rng = np.random.default_rng(0)
    half = rng.integers(0, 256, (24, 48, 24, 1), np.uint8)
    return np.concatenate([half, half[:, :, ::-1]], axis=2)  # the mirror image is the same image


@pytest.mark.parametrize("variant", ["input_warp", "residual"])
def test_normalization_gets_the_statistics_of_the_images(faces, variant):
    model = DeepEmotion(variant, dropout=0.5)
    layers = [
        layer for layer in sublayers(model) if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta = [layer.momentum for layer in layers]
    estimate_normalization(model, faces, batch_size=24)
    # Behind layers that are right, the inputs of the next one are right.
    for layer in layers:
        inputs = keras.Model(model.input, layer.input)(faces.astype("float32"))
        values = np.asarray(inputs, np.float64).reshape(-1, layer.moving_mean.shape[0])
        np.testing.assert_allclose(layer.moving_mean, values.mean(axis=0), atol=3e-3, rtol=3e-3)
        np.testing.assert_allclose(layer.moving_variance, values.var(axis=0), atol=3e-3, rtol=1e-2)
    after = [np.array(weight) for weight in model.get_weights()]
    assert [layer.momentum for layer in layers] == momenta
    model(faces.astype("float32"), training=False)
    for weight, expected in zip(model.get_weights(), after, strict=True):
        np.testing.assert_array_equal(weight, expected)
    model(faces.astype("float32"), training=True)  # a training goes on as before
    assert any((a != b).any() for a, b in zip(model.get_weights(), after, strict=True))


def test_normalization_is_the_mean_over_batches(faces):
    model = DeepEmotion("input_warp")
    layer = model.get_layer("normalization")
    whole, parts = [], []
    for batch_size, found in ((24, whole), (8, parts)):
        estimate_normalization(model, faces, batch_size=batch_size)
        found += [np.array(layer.moving_mean), np.array(layer.moving_variance)]
    np.testing.assert_allclose(parts[0], whole[0], rtol=1e-4, atol=1e-5)
    assert (parts[1] < whole[1] + 1e-6).all()  # without the variance between batches
    with pytest.raises(ValueError, match="24 images are less than a batch of 25"):
        estimate_normalization(model, faces, batch_size=25)
    with pytest.raises(ValueError, match="from 0 to 1"):
        estimate_normalization(model, faces, weight=1.5, batch_size=24)


def test_normalization_may_keep_a_part_of_the_old_statistics(faces):
    model = DeepEmotion("input_warp")
    layer = model.get_layer("normalization")
    statistics = [(layer.moving_mean, 0.0), (layer.moving_variance, 1.0)]
    estimate_normalization(model, faces, batch_size=24)
    new = [np.array(value) for value, _ in statistics]
    for value, old in statistics:
        value.assign(np.full(value.shape, old))
    estimate_normalization(model, faces, weight=0.25, batch_size=24)
    for (value, old), complete in zip(statistics, new, strict=True):
        np.testing.assert_allclose(value, 0.75 * old + 0.25 * complete, rtol=1e-4, atol=1e-5)
