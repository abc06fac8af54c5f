"""Each corruption against values worked out by hand, and what all of them have in common."""

import itertools

import cv2
import numpy as np
import pytest

from ferkit.evaluation.corruptions import CORRUPTIONS, GRAY, corrupted, severities

NAMES = {
    "blur",
    "noise",
    "jpeg",
    "dark",
    "bright",
    "low_resolution",
    "rotation",
    "eyes_covered",
    "mouth_covered",
    "cut_off",
    "mirrored",
}


@pytest.fixture
def faces(rng):
    """Smooth random images, as faces are, uint8 (12, 48, 48, 1)."""
    small = rng.integers(20, 220, (12, 8, 8)).astype(np.uint8)
    return np.stack([cv2.resize(image, (48, 48)) for image in small])[..., None]


def one(image, name, severity, index=0, seed=0):
    """An image (height, width) with a corruption."""
    return corrupted(image[None, ..., None], name, severity, [index], seed)[0, ..., 0]


def test_the_corruptions_and_their_severities():
    assert set(CORRUPTIONS) == NAMES
    assert list(severities("mirrored")) == [1]
    assert all(list(severities(name)) == [1, 2, 3, 4, 5] for name in NAMES - {"mirrored"})


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize(("size", "channels"), [(48, 1), (48, 3), (31, 3)])
def test_shape_type_and_the_original_are_kept(name, size, channels, rng):
    images = rng.integers(0, 256, (3, size, size, channels)).astype(np.uint8)
    before = images.copy()
    for severity in severities(name):
        out = corrupted(images, name, severity, range(3))
        assert out.shape == images.shape
        assert out.dtype == np.uint8
        assert not np.array_equal(out, images)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("name", sorted(NAMES - {"mirrored"}))
def test_every_severity_is_further_from_the_original(name, faces):
    distances = [
        np.abs(corrupted(faces, name, severity, range(12)).astype(int) - faces).mean()
        for severity in severities(name)
    ]
    assert all(near < far for near, far in itertools.pairwise(distances)), distances


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_image_is_corrupted_by_seed_and_index_alone(name, faces):
    together = corrupted(faces, name, 1, range(12), seed=3)
    alone = [corrupted(faces[k : k + 1], name, 1, [k], seed=3)[0] for k in reversed(range(12))]
    np.testing.assert_array_equal(together, alone[::-1])


@pytest.mark.parametrize("name", ["noise", "rotation", "cut_off"])
def test_chance_differs_between_images_and_between_seeds(name, faces):
    same = np.repeat(faces[:1], 12, axis=0)
    first, second = (corrupted(same, name, 3, range(12), seed) for seed in (0, 1))
    assert len({image.tobytes() for image in first}) > 1
    assert not np.array_equal(first, second)


def test_mirrored_twice_is_the_original(faces):
    once = corrupted(faces, "mirrored", 1, range(12))
    np.testing.assert_array_equal(once[:, :, 0], faces[:, :, -1])
    np.testing.assert_array_equal(corrupted(once, "mirrored", 1, range(12)), faces)


def test_brightness_is_multiplied_rounded_and_clipped():
    image = np.array([[0, 100], [201, 255]], np.uint8)
    assert one(image, "bright", 1).tolist() == [[0, 120], [241, 255]]
    assert one(image, "bright", 5).tolist() == [[0, 250], [255, 255]]
    assert one(image, "dark", 2).tolist() == [[0, 40], [80, 102]]
    assert one(image, "dark", 5).tolist() == [[0, 8], [16, 20]]


def test_noise_has_the_stated_deviation_and_no_mean():
    image = np.full((200, 200), 128, np.uint8)
    for severity, deviation in ((1, 0.02), (3, 0.07), (5, 0.16)):
        added = one(image, "noise", severity).astype(float) - 128
        assert added.std() == pytest.approx(deviation * 255, rel=0.03)
        assert added.mean() == pytest.approx(0, abs=0.6)


@pytest.mark.parametrize("size", [48, 96])
def test_blur_spreads_a_point_by_the_stated_fraction_of_the_side(size):
    image = np.zeros((size, size), np.uint8)
    image[:, size // 2] = 255  # a line: its profile is the kernel
    profile = one(image, "blur", 5)[size // 2].astype(float)
    places = np.arange(size) - size // 2
    deviation = np.sqrt((profile * places**2).sum() / profile.sum())
    assert deviation == pytest.approx(0.04 * size, rel=0.05)


def test_low_resolution_leaves_blocks_of_the_stated_size():
    image = np.zeros((48, 48), np.uint8)
    image[::2] = 200  # lines of one pixel: gone when two rows become one
    assert np.ptp(one(image, "low_resolution", 2)) == 0
    assert one(image, "low_resolution", 2)[0, 0] == 100
    assert (
        np.ptp(
            one(
                np.repeat(np.repeat([[0, 200]], 24, 1), 48, 0).astype(np.uint8), "low_resolution", 2
            )
        )
        > 150
    )


def test_jpeg_is_that_of_opencv_with_channels_in_order():
    image = np.zeros((16, 16, 3), np.uint8)
    image[...] = 200, 40, 10  # red first
    out = corrupted(image[None], "jpeg", 1, [0])[0].astype(int)
    assert np.abs(out - image).max() < 12  # exchanged channels would be 190 away


def test_rotation_turns_a_quarter_of_a_right_angle_to_both_sides():
    image = np.zeros((49, 49), np.uint8)
    image[24, :] = 200  # a horizontal line through the center
    turned = [one(image, "rotation", 5, index) for index in range(20)]
    diagonals = {(bool(out[12, 12] > 90), bool(out[12, 36] > 90)) for out in turned}
    assert diagonals == {(True, False), (False, True)}
    assert all(out[24, 24] == 200 and out[24, 4] == 0 for out in turned)


@pytest.mark.parametrize(
    ("name", "severity", "size", "rows"),
    [
        ("eyes_covered", 1, 100, (35, 43)),
        ("eyes_covered", 5, 100, (23, 55)),
        ("mouth_covered", 1, 100, (71, 79)),
        ("mouth_covered", 5, 100, (59, 91)),
        ("eyes_covered", 3, 48, (14, 24)),
        ("mouth_covered", 3, 48, (31, 41)),
    ],
)
def test_a_band_covers_exactly_these_rows(name, severity, size, rows, rng):
    image = rng.integers(130, 256, (size, size)).astype(np.uint8)
    out = one(image, name, severity)
    covered = (out == GRAY).all(axis=1)
    assert (covered.argmax(), size - covered[::-1].argmax()) == rows
    assert covered.sum() == rows[1] - rows[0]
    np.testing.assert_array_equal(out[~covered], image[~covered])


@pytest.mark.parametrize(("severity", "missing"), [(1, 10), (2, 15), (3, 20), (4, 30), (5, 40)])
def test_cut_off_repeats_the_edge_of_what_is_left(severity, missing, rng):
    image = rng.integers(0, 256, (100, 100)).astype(np.uint8)
    sides = set()
    for index in range(30):
        out = one(image, "cut_off", severity, index)
        turns = next(k for k in range(4) if np.ptp(np.rot90(out, k)[:missing], axis=0).max() == 0)
        turned, original = np.rot90(out, turns), np.rot90(image, turns)
        np.testing.assert_array_equal(turned[missing:], original[missing:])
        np.testing.assert_array_equal(turned[0], original[missing])
        sides.add(turns)
    assert sides == {0, 1, 2, 3}
