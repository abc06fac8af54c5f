"""Maps lie where they should, change when weights do, and mark what matters."""

import numpy as np
import pytest
import tensorflow as tf

from dan_tf import DAN
from deep_emotion import DeepEmotion
from ferkit.explanation import METHODS, Explainer, deletion_and_insertion, occlusion_maps, randomization
from ferkit.explanation.activation import _grad_cam, _grad_cam_plus_plus, _weights
from ferkit.recipe import Recipe
from ferkit.step import TrainingStep

SMALL = {"backbone": "convnext_atto", "image_size": 48, "channels": 1, "stem_stride": 2, "layer_scale": 1.0}


def squares(count, rng, size=12):
    """Faces of noise with a bright square in one of four quarters, which is the class."""
    faces = rng.integers(0, 60, (count, 48, 48, 1)).astype(np.uint8)
    labels, places = np.arange(count) % 4, []
    for face, label in zip(faces, labels, strict=True):
        top, left = (label // 2) * 24 + 6, (label % 2) * 24 + 6
        face[top : top + size, left : left + size] = 230
        places.append((top + size / 2, left + size / 2))
    return faces, labels.astype(np.int32), np.array(places)


@pytest.fixture(scope="module")
def trained():
    """Models that tell the quarter of a bright square."""
    rng, models = np.random.default_rng(0), {}
    faces, labels, _ = squares(64, rng)
    for name, model in (
        ("residual", DeepEmotion("residual", class_names=tuple("abcd"), dropout=0.0)),
        ("paper", DeepEmotion("paper", class_names=tuple("abcd"), dropout=0.0)),
        ("dan", DAN(**SMALL, class_names=tuple("abcd"), num_heads=2)),
    ):
        recipe = Recipe(model="dan" if name == "dan" else "deep_emotion", learning_rate=0.002, batch_size=64)
        step = TrainingStep(model, recipe)
        totals = tf.zeros((step.totals_size,), tf.float64)
        batch = tf.constant(faces, tf.float32), tf.one_hot(labels, 4), tf.constant(labels), tf.range(64), tf.constant(64)
        for _ in range(60 if name != "paper" else 150):
            totals = step(batch, 0.002, totals)
        assert (np.asarray(model(faces.astype("float32"))).argmax(1) == labels).mean() > 0.9, name
        models[name] = model
    return models


@pytest.mark.parametrize("name", ["residual", "paper", "dan"])
@pytest.mark.parametrize("method", METHODS)
def test_maps_lie_on_what_decides(trained, name, method):
    faces, labels, places = squares(24, np.random.default_rng(1))
    maps = Explainer(trained[name]).maps(faces, labels, method)["features"]
    assert maps.shape == (24, 48, 48)
    assert maps.min() >= 0
    assert maps.max() == pytest.approx(1.0)
    y, x = np.mgrid[:48, :48]
    inside = [m[np.hypot(y - p[0], x - p[1]) < 9].mean() for m, p in zip(maps, places, strict=True)]
    outside = [m[np.hypot(y - p[0], x - p[1]) > 16].mean() for m, p in zip(maps, places, strict=True)]
    assert np.mean(inside) > 1.3 * np.mean(outside)


@pytest.mark.parametrize("name", ["residual", "paper", "dan"])
def test_checks_tell_a_map_from_chance(trained, name):
    faces, labels, _ = squares(24, np.random.default_rng(2))
    model = trained[name]
    maps = occlusion_maps(model, faces, labels)
    curves = deletion_and_insertion(model, faces, maps, labels)
    assert curves["deletion"]["area"] < curves["deletion_random"]["area"] - 0.02
    assert curves["insertion"]["area"] > curves["insertion_random"]["area"] + 0.02
    weights = model.get_weights()
    assert abs(np.mean([randomization(model, faces, labels, seed=seed) for seed in range(3)])) < 0.5
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_dan_has_a_map_for_each_head(trained):
    faces, labels, _ = squares(3, np.random.default_rng(3))
    explainer = Explainer(trained["dan"])
    assert explainer.names == ("features", "head0", "head1")
    assert {values.shape for values in explainer.maps(faces, labels).values()} == {(3, 48, 48)}


@pytest.mark.parametrize("name", ["residual", "paper", "dan"])
def test_the_traced_model_is_the_model(trained, name):
    faces, _, _ = squares(4, np.random.default_rng(4))
    explainer = Explainer(trained[name])
    _, logits = explainer._traced(tf.constant(faces, tf.float32))
    np.testing.assert_allclose(logits, trained[name](faces.astype("float32"), training=False), atol=1e-4)


def test_the_transformers_warp_is_undone():
    """A transformer that looks at the upper left quarter: maps of what it saw belong there."""
    model = DeepEmotion("input_warp")
    theta = model.get_layer("localization_theta")
    theta.kernel.assign(np.zeros(theta.kernel.shape))
    theta.bias.assign([0.5, 0, -0.5, 0, 0.5, -0.5])
    package = Explainer(model)._package
    whole = package.on_the_face(model, np.zeros((1, 48, 48, 1)), np.ones((1, 48, 48)))[0]
    assert whole[:22, :22].min() > 0.99
    assert whole[:, 26:].max() == whole[26:].max() == 0
    corner = np.zeros((1, 48, 48))
    corner[0, 40:, 40:] = 1.0  # the lower right of what it saw is the middle of the face
    moved = package.on_the_face(model, np.zeros((1, 48, 48, 1)), corner)[0]
    y, x = (np.average(np.arange(48), weights=moved.sum(axis=axis)) for axis in (1, 0))
    assert (y, x) == pytest.approx((21.8, 21.8), abs=0.6)


def test_cells_lie_at_the_centre_of_what_they_see():
    """Strided 3x3 convolutions pad on one side only: the cells of "residual" lie lower and further right than an even grid."""
    first, step = (np.array(values) for values in (Explainer(DeepEmotion("residual"))._first, (8, 8)))
    assert (np.array(Explainer(DeepEmotion("residual"))._step) == step).all()
    assert (first > 3.9).all()  # of an even grid: 3.5
    assert (first < 7.1).all()
    paper = Explainer(DeepEmotion("paper"))
    np.testing.assert_allclose(paper._first, 7.5, atol=1.0)
    assert paper._step == [4, 4]


def test_grad_cam_by_hand():
    features = np.array([[[[1.0, 0.0]], [[0.0, 2.0]]]])  # (1, 2, 1, 2)
    gradients = np.array([[[[2.0, -1.0]], [[0.0, -1.0]]]])
    # Weights: means 1 and -1; sums 1 and -2, of which the latter is cut off.
    np.testing.assert_allclose(_grad_cam(features, gradients)[0, :, 0], [1.0, 0.0])
    # Grad-CAM++: alpha of channel 0 at the first place = 4 / (2 * 4 + 1 * 8) = 1/4, times 2 = 1/2; channel 1 has no positive one.
    np.testing.assert_allclose(_grad_cam_plus_plus(features, gradients)[0, :, 0], [0.5, 0.0])


def test_interpolation_weights_by_hand():
    weights = _weights(cells=2, pixels=4, first=0.5, step=2.0)
    np.testing.assert_allclose(weights, [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    np.testing.assert_allclose(_weights(1, 3, 1.0, 3.0), np.ones((3, 1)))


def test_occlusion_finds_the_pixels_that_matter():
    class OnlyTheCorner:
        input_shape = (None, 48, 48, 1)

        def __call__(self, pixels, training=False):
            bright = tf.reduce_mean(pixels[:, 4:12, 4:12, 0], axis=(1, 2)) / 255.0
            return tf.stack([6.0 * bright, tf.zeros_like(bright)], axis=1)

    face = np.full((1, 48, 48, 1), 20, np.uint8)
    face[:, 4:12, 4:12] = 255
    (values,) = occlusion_maps(OnlyTheCorner(), face, 0)
    assert values[6:10, 6:10].min() > 0.1
    assert values[24:, 24:].max() == 0
