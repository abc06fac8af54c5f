"""Small faces in large and in long photos, and what the search for them costs."""

import cv2
import numpy as np
import pytest

from ferkit.errors import UserError
from ferkit.recognition import make_detector
from ferkit.recognition.yunet import YuNet
from tests.support.group_photos import astronaut, group_photo, missed_and_false


@pytest.fixture(scope="module")
def detector():
    return YuNet()


def searched(detector, photo):
    """The faces of a photo, and the sizes (height, width) of all pictures that were searched."""
    sizes, find = [], detector._find
    detector._find = lambda picture: sizes.append(picture.shape[:2]) or find(picture)
    try:
        return detector(photo), sizes
    finally:
        detector._find = find


def test_sixty_faces_of_55_by_72_pixels_in_12_million_are_found_and_no_others(detector):
    photo, centers = group_photo(55, 6, 10)
    assert len(centers) == 60
    assert missed_and_false(detector(photo), centers, 55) == (0, 0)


@pytest.mark.parametrize(
    ("face_width", "rows", "columns", "size"),
    [(150, 20, 1, (10_000, 800)), (90, 1, 20, (600, 8000)), (300, 2, 3, (2000, 3000))],
)
def test_long_pictures_and_large_faces(face_width, rows, columns, size, detector):
    photo, centers = group_photo(face_width, rows, columns, size)
    assert missed_and_false(detector(photo), centers, face_width) == (0, 0)


def test_no_face_of_a_group_photo_is_lost_to_a_larger_view(detector):
    photo, centers = group_photo(100, 4, 6, (2400, 3200))  # 20 pixels in the first view
    before, now = YuNet(size=640)(photo), detector(photo)
    assert missed_and_false(before, centers, 100) == missed_and_false(now, centers, 100) == (0, 0)
    assert min(face.score for face in now) >= min(face.score for face in before)


def test_ordinary_photos_are_searched_once_at_640_pixels(detector):
    faces, sizes = searched(detector, astronaut())
    assert (len(faces), sizes) == (1, [(512, 512)])
    large = cv2.resize(astronaut(), (4000, 4000), interpolation=cv2.INTER_CUBIC)
    faces, sizes = searched(detector, large)
    assert (len(faces), sizes) == (1, [(640, 640)])
    faces, sizes = searched(detector, group_photo(120, 3, 4, (1200, 1600))[0])
    assert (len(faces), sizes[0], sum(size[0] > 300 for size in sizes)) == (12, (480, 640), 1)


def test_photos_without_a_face_are_searched_again_only_where_they_are_very_large(detector):
    gray = np.full((1080, 1920, 3), 127, np.uint8)
    assert searched(detector, gray) == ([], [(360, 640), (180, 320)])
    gray = np.full((1920, 2560, 3), 127, np.uint8)
    assert searched(detector, gray) == ([], [(480, 640), (240, 320), *[(560, 720)] * 4])


def test_a_given_size_is_the_size_of_the_search():
    photo, centers = group_photo(55, 2, 3, (600, 1200))
    assert missed_and_false(YuNet(size=320)(photo), centers, 55)[0] > 0
    assert missed_and_false(YuNet(size=1200)(photo), centers, 55) == (0, 0)
    _, sizes = searched(YuNet(size=1200), np.full((600, 1200, 3), 127, np.uint8))
    assert sizes == [(320, 640), (160, 320), *[(600, 680)] * 2]
    _, sizes = searched(YuNet(size=320), np.full((600, 1200, 3), 127, np.uint8))
    assert sizes == [(160, 320)]


@pytest.mark.parametrize("size", [0, -1, 63, 10_001])
def test_a_size_out_of_range_is_one_line(size):
    message = f"--detector-size {size}: out of range; give the longest side in pixels, 64 to 10000"
    with pytest.raises(UserError, match=message):
        make_detector("yunet", size=size)


def test_a_size_is_for_yunet_alone():
    with pytest.raises(UserError, match="--detector-size 900: has no meaning for the detector non"):
        make_detector("none", size=900)
