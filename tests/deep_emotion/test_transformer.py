"""The spatial transformer: exact values, gradients, and equality of all samplers.

Gradients are compared with finite differences.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from deep_emotion.transformer import (
    IDENTITY_THETA,
    SAMPLERS,
    SpatialTransformer,
    affine_grid,
    spatial_transform,
)

EXACT = ("auto", "xla", "tensorflow", "keras")
OWN = ("xla", "tensorflow", "keras")


def thetas(rng, count, spread=0.3):
    return (np.array([IDENTITY_THETA] * count) + rng.normal(0, spread, (count, 6))).astype(
        "float32"
    )


@pytest.mark.parametrize("sampler", EXACT)
@pytest.mark.parametrize("shape", [(3, 48, 48, 1), (2, 9, 9, 10), (2, 7, 11, 3), (2, 1, 5, 2)])
def test_the_identity_returns_its_input(sampler, shape, rng):
    image = rng.uniform(0, 255, shape).astype("float32")
    warped = spatial_transform(
        image, np.array([IDENTITY_THETA] * shape[0], "float32"), sampler=sampler
    )
    np.testing.assert_allclose(warped, image, atol=1e-5)


def test_the_stn_package_is_another_thing(rng):
    """As documented: its identity does not return its input."""
    image = rng.uniform(0, 1, (2, 48, 48, 1)).astype("float32")
    warped = spatial_transform(image, np.array([IDENTITY_THETA] * 2, "float32"), sampler="stn")
    assert np.abs(warped - image).max() > 0.5
    np.testing.assert_allclose(
        warped[:, 0, 0], image[:, 0, 0], atol=1e-5
    )  # it shrinks towards this corner


@pytest.mark.parametrize("sampler", OWN)
@pytest.mark.parametrize(
    ("theta", "expected"),
    [
        (
            [1, 0, 1, 0, 1, 0],
            [[1, 2, 0], [11, 12, 0], [21, 22, 0]],
        ),  # one pixel to the right of a 3 pixel image
        ([1, 0, 0, 0, 1, -1], [[0, 0, 0], [0, 1, 2], [10, 11, 12]]),  # one pixel up
        (
            [1, 0, 0.5, 0, 1, 0],
            [[0.5, 1.5, 1], [10.5, 11.5, 6], [20.5, 21.5, 11]],
        ),  # half a pixel, fading outside
        ([0, -1, 0, 1, 0, 0], [[2, 12, 22], [1, 11, 21], [0, 10, 20]]),  # rotation by 90 degrees
        (
            [0.5, 0, 0, 0, 0.5, 0],
            [[5.5, 6, 6.5], [10.5, 11, 11.5], [15.5, 16, 16.5]],
        ),  # zoom in by 2
        ([1, 0, 9, 0, 1, 0], [[0, 0, 0]] * 3),  # far outside
    ],
)
def test_values_by_hand(sampler, theta, expected):
    ramp = np.array([[0, 1, 2], [10, 11, 12], [20, 21, 22]], "float32")[None, :, :, None]
    warped = spatial_transform(ramp, np.array([theta], "float32"), sampler=sampler)
    np.testing.assert_allclose(warped[0, :, :, 0], expected, atol=1e-5)


@pytest.mark.parametrize("out_size", [(None, None), (5, 6), (12, 1)])
@pytest.mark.parametrize("sampler", ["xla", "tensorflow"])
def test_fast_samplers_equal_the_reference(sampler, out_size, rng):
    image = rng.uniform(0, 1, (4, 9, 7, 3)).astype("float32")
    theta = thetas(rng, 4)

    def run(name):
        inputs = [tf.constant(image), tf.constant(theta)]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            warped = spatial_transform(*inputs, *out_size, sampler=name)
            loss = tf.reduce_sum(tf.sin(3.0 * warped))
        return [warped, *tape.gradient(loss, inputs)]

    for received, expected in zip(run(sampler), run("keras"), strict=True):
        np.testing.assert_allclose(received, expected, atol=2e-4)


@pytest.mark.parametrize("sampler", OWN)
def test_gradients_match_finite_differences(sampler, rng):
    image = rng.uniform(0, 1, (1, 6, 5, 2)).astype("float64")
    weights = rng.normal(0, 1, (6, 5, 2))
    step = 1e-3
    theta = _theta_away_from_kinks(rng, height=6, width=5, step=step)

    def loss(image, theta):
        warped = spatial_transform(
            tf.constant(image, tf.float32), tf.constant(theta[None], tf.float32), sampler=sampler
        )
        return float(np.sum(warped.numpy()[0].astype("float64") * weights))

    inputs = [tf.constant(image, tf.float32), tf.constant(theta[None], tf.float32)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(
            spatial_transform(*inputs, sampler=sampler) * tf.constant(weights[None], tf.float32)
        )
    to_image, to_theta = tape.gradient(total, inputs)

    def difference(vary):
        return (vary(step) - vary(-step)) / (2 * step)

    for k in range(6):
        expected = difference(lambda h, k=k: loss(image, theta + h * np.eye(6)[k]))
        assert float(to_theta[0, k]) == pytest.approx(expected, abs=5e-3), f"theta {k}"
    for place in [(0, 0, 0), (2, 3, 1), (5, 4, 0), (3, 1, 1)]:
        mask = np.zeros_like(image)
        mask[(0, *place)] = 1
        expected = difference(lambda h, mask=mask: loss(image + h * mask, theta))
        assert float(to_image[(0, *place)]) == pytest.approx(expected, abs=5e-3), f"pixel {place}"


def _theta_away_from_kinks(rng, height, width, step):
    """A theta without sampling points near integer coordinates, where interpolation has a kink."""
    for _ in range(2000):
        theta = np.array(IDENTITY_THETA) + rng.normal(0, 0.25, 6)
        coordinates = [
            np.asarray(c) for c in affine_grid(tf.constant(theta[None], tf.float32), height, width)
        ]
        if min(np.abs(c - np.round(c)).min() for c in coordinates) > 6 * step:
            return theta
    raise AssertionError("no such theta found")


def test_the_layer_saves_its_settings_and_checks_them():
    layer = SpatialTransformer(sampler="keras")
    again = SpatialTransformer.from_config(layer.get_config())
    assert again.sampler == "keras"
    with pytest.raises(ValueError, match="Received: sampler='nearest'"):
        SpatialTransformer(sampler="nearest")
    with pytest.raises(ValueError, match="Received: sampler='nearest'"):
        spatial_transform(np.zeros((1, 3, 3, 1)), np.zeros((1, 6)), sampler="nearest")
    assert "stn" in SAMPLERS


def test_it_runs_in_a_functional_model_of_any_batch_size(rng):
    image, theta = keras.Input((8, 8, 1)), keras.Input((6,))
    model = keras.Model([image, theta], SpatialTransformer()([image, theta]))
    for count in (1, 5):
        images = rng.uniform(0, 1, (count, 8, 8, 1)).astype("float32")
        np.testing.assert_allclose(
            model([images, np.array([IDENTITY_THETA] * count)]), images, atol=1e-6
        )
