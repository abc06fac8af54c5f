"""Explanation maps are in the right position, depend on the weights, and mark what matters."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from deep_emotion import DeepEmotion
from ferkit.explanation import galleries
from ferkit.explanation.faithfulness import deletion_and_insertion, randomization
from ferkit.explanation.grad_cam import (
    METHODS,
    Explainer,
    grad_cam_cells,
    grad_cam_plus_plus_cells,
    interpolation_weights,
)
from ferkit.explanation.keras_panels import KerasPanels, _grad_cam_panel
from ferkit.explanation.occlusion import occlusion_maps
from ferkit.input_pipeline.dataset import Split
from ferkit.models.saved_model import load_model
from ferkit.models.shipped_weights import model_file


def patches(count, rng, size=14):
    """Faces of faint noise with a patch at a random position; its pattern is the class.

    The patterns are vertical bars, horizontal bars, white and black.
    """
    faces = rng.integers(90, 150, (count, 48, 48, 1)).astype(np.uint8)
    y, x = np.mgrid[:size, :size]
    patterns = [
        (x % 4 < 2) * 230,
        (y % 4 < 2) * 230,
        np.full((size, size), 255),
        np.zeros((size, size)),
    ]
    labels, centers = np.arange(count) % 4, []
    for face, label in zip(faces, labels, strict=True):
        top, left = rng.integers(2, 46 - size, 2)
        face[top : top + size, left : left + size, 0] = patterns[label]
        centers.append((top + size / 2, left + size / 2))
    return faces, labels.astype(np.int32), np.array(centers)


def fitted(model):
    """The model with its last dense layer fitted to patches by least squares."""
    faces, labels, _ = patches(512, np.random.default_rng(0))
    dense = next(layer for layer in reversed(model.layers) if isinstance(layer, keras.layers.Dense))
    inner = keras.Model(model.inputs, dense.input)
    features = np.concatenate(
        [inner([part.astype("float32")]) for part in np.split(faces, 8)]
    ).astype(float)
    mean = features.mean(axis=0)
    features -= mean
    ridge = 1e-3 * features.var() * len(features) * np.eye(features.shape[1])
    kernel = 8 * np.linalg.solve(
        features.T @ features + ridge, features.T @ (np.eye(7)[labels] - 0.25)
    )
    dense.kernel.assign(kernel)
    if dense.bias is not None:
        dense.bias.assign(-mean @ kernel)
    else:  # the batch normalization of DAN follows: it becomes the bias
        model.get_layer("logits").set_weights([np.ones(7), -mean @ kernel, np.zeros(7), np.ones(7)])
    return model


@pytest.fixture(scope="module")
def models():
    """The shipped models, with a last layer that classifies the patterns."""
    names = {
        "residual": "deep_emotion-fer2013",
        "paper": "deep_emotion_paper-fer2013",
        "dan": "dan-fer2013",
    }
    fitted_models = {
        name: fitted(load_model(model_file(weights))) for name, weights in names.items()
    }
    faces, labels, _ = patches(64, np.random.default_rng(9))
    for name, model in fitted_models.items():
        assert (np.asarray(model(faces.astype("float32"))).argmax(axis=1) == labels).mean() > 0.5, (
            name
        )
    return fitted_models


# Not DAN: the receptive field of each of its last cells is the whole face.
@pytest.mark.parametrize("name", ["residual", "paper"])
@pytest.mark.parametrize("method", METHODS)
def test_maps_mark_the_pattern_that_decides(models, name, method):
    faces, labels, centers = patches(24, np.random.default_rng(1))
    maps = Explainer(models[name]).maps(faces, labels, method)["features"]
    assert maps.shape == (24, 48, 48)
    assert maps.min() >= 0
    assert maps.max() == pytest.approx(1.0)
    y, x = np.mgrid[:48, :48]
    inside = [
        m[np.hypot(y - p[0], x - p[1]) < 9].mean() for m, p in zip(maps, centers, strict=True)
    ]
    outside = [
        m[np.hypot(y - p[0], x - p[1]) > 16].mean() for m, p in zip(maps, centers, strict=True)
    ]
    assert np.mean(inside) > 1.3 * np.mean(outside)


@pytest.mark.parametrize("name", ["residual", "paper"])  # DAN's maps have 3x3 cells: too coarse
def test_checks_distinguish_a_map_from_chance(models, name):
    faces, labels, _ = patches(24, np.random.default_rng(2))
    model = models[name]
    maps = Explainer(model).maps(faces, labels)["features"]
    curves = deletion_and_insertion(model, faces, maps, labels)
    assert curves["deletion"]["area"] < curves["deletion_random"]["area"] - 0.02
    assert curves["insertion"]["area"] > curves["insertion_random"]["area"]
    gap, random_gap = (
        curves["insertion" + end]["area"] - curves["deletion" + end]["area"]
        for end in ("", "_random")
    )
    assert gap > random_gap + 0.02


@pytest.mark.parametrize("name", ["residual", "paper", "dan"])
def test_maps_depend_on_the_weights_which_the_check_leaves_as_they_are(models, name):
    faces, labels, _ = patches(24, np.random.default_rng(2))
    model = models[name]
    weights = model.get_weights()
    explainer = Explainer(model)
    draw_maps = lambda: explainer.maps(faces, labels)["features"]  # noqa: E731
    assert abs(randomization(model, draw_maps, shuffles=3)) < 0.5
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_dan_has_a_map_for_each_head(models):
    faces, labels, _ = patches(3, np.random.default_rng(3))
    explainer = Explainer(models["dan"])
    assert explainer.names == ("features", "head0", "head1", "head2", "head3")
    assert {values.shape for values in explainer.maps(faces, labels).values()} == {(3, 48, 48)}


@pytest.mark.parametrize("name", ["residual", "paper", "dan"])
def test_the_feature_tap_has_the_logits_of_the_model(models, name):
    faces, _, _ = patches(4, np.random.default_rng(4))
    explainer = Explainer(models[name])
    _, logits = explainer.feature_tap(tf.constant(faces, tf.float32))
    np.testing.assert_allclose(
        logits, models[name](faces.astype("float32"), training=False), atol=1e-4
    )


def test_the_warp_of_the_transformer_is_undone():
    """The transformer samples the upper left quarter, so its maps are moved there."""
    model = DeepEmotion("input_warp")
    theta = model.get_layer("localization_theta")
    theta.kernel.assign(np.zeros(theta.kernel.shape))
    theta.bias.assign([0.5, 0, -0.5, 0, 0.5, -0.5])
    explanation = Explainer(model).package.explanation
    full = explanation.map_to_face(model, np.zeros((1, 48, 48, 1)), np.ones((1, 48, 48)))[0]
    assert full[:22, :22].min() > 0.99
    assert full[:, 26:].max() == full[26:].max() == 0
    corner = np.zeros((1, 48, 48))
    corner[0, 40:, 40:] = 1.0  # the lower right of the sample is the middle of the face
    moved = explanation.map_to_face(model, np.zeros((1, 48, 48, 1)), corner)[0]
    y, x = (np.average(np.arange(48), weights=moved.sum(axis=axis)) for axis in (1, 0))
    assert (y, x) == pytest.approx((21.8, 21.8), abs=0.6)


def test_cells_are_at_the_center_of_their_receptive_field():
    """Strided 3x3 convolutions pad on one side only.

    The cells of "residual" are lower and further right than those of an even grid.
    """
    first, step = (
        np.array(values) for values in (Explainer(DeepEmotion("residual")).first_center, (8, 8))
    )
    assert (np.array(Explainer(DeepEmotion("residual")).cell_step) == step).all()
    assert (first > 3.9).all()  # of an even grid: 3.5
    assert (first < 7.1).all()
    paper = Explainer(DeepEmotion("paper"))
    np.testing.assert_allclose(paper.first_center, 7.5, atol=1.0)
    assert paper.cell_step == [4, 4]


def test_grad_cam_by_hand():
    features = np.array([[[[1.0, 0.0]], [[0.0, 2.0]]]])  # (1, 2, 1, 2)
    gradients = np.array([[[[2.0, -1.0]], [[0.0, -1.0]]]])
    # Weights: means 1 and -1; sums 1 and -2, the latter is set to 0.
    np.testing.assert_allclose(grad_cam_cells(features, gradients)[0, :, 0], [1.0, 0.0])
    # Grad-CAM++: alpha of channel 0 at the first cell = 4 / (2 * 4 + 1 * 8) = 1/4, times 2 = 1/2;
    # channel 1 has no positive gradient.
    np.testing.assert_allclose(grad_cam_plus_plus_cells(features, gradients)[0, :, 0], [0.5, 0.0])


def test_interpolation_weights_by_hand():
    weights = interpolation_weights(cells=2, pixels=4, first=0.5, step=2.0)
    np.testing.assert_allclose(weights, [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    np.testing.assert_allclose(interpolation_weights(1, 3, 1.0, 3.0), np.ones((3, 1)))


def test_occlusion_finds_the_pixels_that_matter():
    def brightness_of_the_corner(faces):
        bright = faces[:, 4:12, 4:12, 0].mean(axis=(1, 2)) / 255
        first = 1 / (1 + np.exp(-12 * (bright - 0.75)))
        return np.stack([first, 1 - first], axis=1)

    face = np.full((1, 48, 48, 1), 20, np.uint8)
    face[:, 4:12, 4:12] = 255
    (values,) = occlusion_maps(brightness_of_the_corner, face, 0)
    assert values[6:10, 6:10].min() > 0.1
    assert values[24:, 24:].max() == 0


def test_sheets_show_the_occlusion_map_first_and_no_transformer_that_does_not_move(models):
    faces, labels, _ = patches(2, np.random.default_rng(4))
    still = {"still": DeepEmotion("residual")}  # untrained, it samples the face unchanged
    titles = {
        name: [title for title, _ in KerasPanels(model)(faces, labels)[0]]
        for name, model in (models | still).items()
    }
    for of_model in titles.values():
        assert of_model[0] == "face"
        assert of_model[1].startswith("occlusion: up to -")
    assert not any("transformer" in title for title in titles["still"])
    for name in ("paper", "residual"):
        assert "transformer: its window, and what it samples" in titles[name]
    assert "Grad-CAM of head 3" in titles["dan"][-1]


def test_a_map_without_support_is_named_in_its_title():
    picture = np.full((4, 4, 3), 90, np.uint8)
    assert _grad_cam_panel("Grad-CAM", picture, np.zeros((4, 4)))[0] == "Grad-CAM: none"
    assert _grad_cam_panel("Grad-CAM", picture, np.eye(4))[0] == "Grad-CAM"


def test_occlusion_maps_are_checked_like_the_others(models, monkeypatch):
    monkeypatch.setattr(galleries, "CHECKED_FACES", 12)
    monkeypatch.setattr(galleries, "SHUFFLED_FACES", 2)
    monkeypatch.setattr(galleries, "SHUFFLES", 1)
    faces, labels, _ = patches(24, np.random.default_rng(5))
    none, rows = np.array([""] * 24), np.arange(24)
    split = Split("val", faces, labels, none, rows, tuple("abcdefg"), has_train=True)
    figures = galleries.faithfulness_figures(
        split, np.random.default_rng(0), KerasPanels(models["paper"])
    )
    assert list(figures) == ["occlusion", "grad-cam", "grad-cam++"]
    occlusion = figures["occlusion"]
    assert occlusion["deletion"] < occlusion["deletion_random"] - 0.02
    assert occlusion["insertion"] > occlusion["insertion_random"]
    lines = galleries.format_faithfulness(figures, 12).splitlines()
    assert lines[2].split()[:2] == ["occlusion", f"{occlusion['deletion']:.3f}"]
