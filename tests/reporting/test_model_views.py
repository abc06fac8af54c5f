"""Pictures of what a model looks at, and the values that they show."""

import keras
import numpy as np
import pytest

from dan_tf import DAN
from dan_tf.visualization import attention_maps, attention_pictures, resize
from deep_emotion import DeepEmotion, spatial_transform
from deep_emotion.visualization import TOP_EDGE, WINDOW, transformer_pictures, transformer_theta
from ferkit.models.registry import MODELS, ModelPackage, entry_of_model


@pytest.fixture
def faces(rng):
    return rng.integers(0, 256, (3, 48, 48, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def dan():
    return DAN("convnext_atto", image_size=48, channels=1, stem_stride=2, num_heads=2)


def with_theta(variant, theta):
    """A Deep-Emotion that computes this theta for every face."""
    model = DeepEmotion(variant)
    model.get_layer("localization_theta").bias.assign(theta)
    return model


def test_the_registry_finds_them(dan):
    assert {name: list(entry.visualizations) for name, entry in MODELS.items()} == {
        "deep_emotion": ["transformer"],
        "dan": ["attention"],
    }
    assert entry_of_model(dan).visualizations["attention"] is attention_pictures
    assert ModelPackage("none", "generate_data", "None").visualizations == {}


# ---- Deep-Emotion


@pytest.mark.parametrize("variant", ["paper", "input_warp"])
def test_theta_is_the_output_of_the_localization_network(variant, faces):
    theta = transformer_theta(with_theta(variant, [1, 2, 3, 4, 5, 6]), faces)
    np.testing.assert_array_equal(theta, np.broadcast_to([[1, 2, 3], [4, 5, 6]], (3, 2, 3)))


def test_the_window_is_where_the_output_comes_from(faces):
    """Half the size, moved up and left: the output is the top left quarter."""
    model = with_theta("input_warp", [0.5, 0, -0.5, 0, 0.5, -0.5])
    picture = transformer_pictures(model, faces)[0]
    assert (picture.dtype, picture.shape[0]) == (np.uint8, 256)
    left, right = picture[:, :256], picture[:, -256:]
    yellow = np.argwhere((left == WINDOW).all(axis=-1))
    # Enlarged by 4, with a margin of 32: pixels 0 to 23.5, whose centers are at 33.5 and 127.5.
    assert np.abs(yellow.max(axis=0) - 127.5).max() <= 3
    red = np.argwhere((left == TOP_EDGE).all(axis=-1))
    assert np.abs(red[:, 0] - 33.5).max() <= 2
    warped = spatial_transform(
        faces[:1] / np.float32(127.5) - 1, model.get_layer("localization_theta").bias[None]
    )
    expected = np.rint((keras.ops.convert_to_numpy(warped)[0, :, :, 0] + 1) * 127.5)
    np.testing.assert_allclose(right[34:224:4, 34:224:4, 0], expected, atol=1)
    assert (right[:32] == 255).all(), "around an output is white"
    assert (left[:30, :30] == 128).all(), "around a face is what the transformer reads outside"


def test_a_window_turned_upside_down_has_its_top_edge_below(faces):
    picture = transformer_pictures(with_theta("input_warp", [-0.5, 0, 0, 0, -0.5, 0]), faces)[0]
    red = np.argwhere((picture[:, :256] == TOP_EDGE).all(axis=-1))
    assert red[:, 0].min() > 128


def test_paper_shows_the_feature_map_before_and_after(faces):
    model = with_theta("paper", [1, 0, 0, 0, 1, 0])
    pictures = transformer_pictures(model, faces)
    assert pictures.shape == (3, 256, 3 * 256 + 2 * 8, 3)
    _, before, after = (pictures[0][:, start : start + 256] for start in (0, 264, 528))
    middles = np.arange(32 + 10, 224, 192 / 9).astype(int)[
        1:-1
    ]  # cells within, not under the window's lines
    np.testing.assert_array_equal(before[np.ix_(middles, middles)], after[np.ix_(middles, middles)])
    assert before[middles][:, middles].max() > before[middles][:, middles].min()


def test_color_faces_stay_colored(rng):
    faces = np.zeros((1, 48, 48, 3), np.uint8)
    faces[..., 0] = 200
    picture = transformer_pictures(DeepEmotion("input_warp", channels=3), faces)[0]
    assert picture[128, 128].tolist() == [200, 0, 0]


# ---- DAN


def test_attention_maps_are_what_the_heads_multiply_with(dan, faces):
    maps = attention_maps(dan, faces)
    head = dan.get_layer("head1")
    features = keras.Model(dan.input, head.input)(faces.astype("float32"))
    attended = head.spatial(features)
    assert maps.shape == (3, 2, *features.shape[1:3])
    assert (maps >= 0).all()
    np.testing.assert_allclose(features * maps[:, 1, :, :, None], attended, rtol=1e-4, atol=1e-4)


def test_a_face_has_a_panel_for_each_head(dan, faces):
    pictures = attention_pictures(dan, faces)
    assert (pictures.shape, pictures.dtype) == ((3, 144, 3 * 144 + 2 * 6, 3), np.uint8)
    gray = pictures[:, :, :144]
    assert (gray == gray[..., :1]).all(), "the face itself is not tinted"
    assert (pictures[:, :, 150:294].std(axis=-1) > 0).any()


def test_the_brightest_point_is_the_largest_value_of_the_map(dan, faces, monkeypatch):
    maps = np.zeros((3, 2, 3, 3), np.float32)
    maps[:, 0, 2, 0] = 5.0
    monkeypatch.setattr("dan_tf.visualization.attention_maps", lambda model, images: maps)
    first, second = (
        attention_pictures(dan, faces * 0)[0][:, start : start + 144] for start in (150, 300)
    )
    brightness = first.sum(axis=-1)
    assert brightness[136, 8] == brightness.max()
    assert brightness[8, 136] == brightness.min()
    assert (second == second[0, 0]).all(), "a flat map is cold throughout"


def test_no_heads_no_picture(faces):
    class Plain:
        num_heads = 0

    assert attention_maps(Plain, faces).shape == (3, 0, 1, 1)
    assert attention_pictures(Plain, faces).shape == (0, 144, 144, 3)


def test_resize_is_bilinear():
    image = np.array([[0.0, 8.0]], np.float32)[..., None]
    np.testing.assert_allclose(resize(image, 4)[..., 0], [[0, 2, 6, 8]] * 4)
