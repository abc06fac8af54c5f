"""Views and tiles by hand."""

import itertools

import numpy as np
import pytest

from ferkit.recognition.views import OVERLAP, complete_rows, distinct, longest_side, tiles, view


def photo(height, width):
    return np.zeros((height, width, 3), np.uint8)


def row(left, top, width, height, score):
    marks = [left + 1, top + 2] * 5
    return [left, top, width, height, *marks, score]


@pytest.mark.parametrize(
    ("size", "longest", "seen"),
    [
        ((3000, 4000), 4000, (480, 640)),
        ((100, 200), 200, (100, 200)),  # never enlarged
        ((1000, 4000), 4000, (160, 640)),
        ((20_000, 1000), 4000, (3200, 160)),  # long: by its short side
        ((50, 100_000), 200, (15, 30_000)),  # bounded
    ],
)
def test_a_view_is_measured_by_the_longest_side_or_of_a_long_picture_by_the_short_one(
    size, longest, seen
):
    picture = photo(*size)
    assert longest_side(picture) == longest
    assert view(picture, 640).shape[:2] == seen


def test_tiles_by_hand():
    assert tiles(480, 640) == [(slice(0, 480), slice(0, 640))]
    assert tiles(480, 1280) == [
        (slice(0, 480), slice(0, 720)),
        (slice(0, 480), slice(560, 1280)),
    ]


@pytest.mark.parametrize("length", [641, 960, 1281, 2560, 30_000])
def test_tiles_have_one_size_share_pixels_and_cover_the_view(length):
    parts = [columns for _, columns in tiles(100, length)]
    assert len({part.stop - part.start for part in parts}) == 1
    assert (parts[0].start, parts[-1].stop) == (0, length)
    for part, following in itertools.pairwise(parts):
        assert part.stop - following.start >= OVERLAP - 1
    assert parts[0].stop <= 640 + OVERLAP


def test_rows_that_an_inner_edge_cuts_off_are_dropped_and_the_others_moved():
    tile, size = (slice(0, 480), slice(560, 1280)), (480, 1280)
    rows = np.array([row(1, 50, 30, 40, 0.9), row(100, 1, 30, 40, 0.8), row(690, 9, 29, 9, 0.7)])
    moved = complete_rows(rows, tile, size)
    np.testing.assert_array_equal(moved, [row(660, 1, 30, 40, 0.8), row(1250, 9, 29, 9, 0.7)])


def test_one_face_in_several_tiles_is_one_face_of_the_highest_score():
    rows = np.array(
        [
            row(0, 0, 10, 10, 0.8),
            row(1, 1, 10, 10, 0.9),
            row(4, 4, 4, 4, 0.7),
            row(9, 0, 9, 9, 0.75),
        ]
    )
    np.testing.assert_array_equal(distinct(rows), rows[[1, 3]])
    assert distinct(rows[:0]).shape == (0, 15)
