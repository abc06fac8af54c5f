"""Faces that are sideways or upside down get the label of the upright face."""

import cv2
import numpy as np
import pytest

from ferkit import Recognizer
from ferkit.recognition import Face
from ferkit.recognition.turned_faces import DOUBT, upright
from tests.support.group_photos import astronaut

SIDE = 740  # holds the photo at every angle


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer()


def turned(degrees):
    """The photo turned clockwise; its edge is repeated."""
    matrix = cv2.getRotationMatrix2D((256, 256), -degrees, 1)
    matrix[:, 2] += SIDE / 2 - 256
    return cv2.warpAffine(
        astronaut(), matrix, (SIDE, SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )


def roll(landmarks):
    """Degrees clockwise by which a face is turned."""
    right, down = landmarks[3:].mean(axis=0) - landmarks[:2].mean(axis=0)
    return float(np.degrees(np.arctan2(-right, down)))


@pytest.mark.parametrize("degrees", range(0, 360, 30))
def test_a_smile_is_happy_at_every_angle(degrees, recognizer):
    (face,) = recognizer.predict(turned(degrees))
    assert (face.label, face.confidence > 0.9) == ("happy", True)
    assert abs((roll(face.landmarks) - degrees + 180) % 360 - 180) < 35
    left, top, right, bottom = face.box
    assert all(left < x < right and top < y < bottom for x, y in face.landmarks)


def test_an_upright_face_is_not_searched_again():
    def find(_):
        raise AssertionError("searched")

    face = Face((10.0, 10.0, 60.0, 60.0), DOUBT + 0.01, np.zeros((5, 2)))
    assert upright(astronaut(), face, find) is face


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_face_is_placed_by_hand(quarters):
    """The detector of this test finds one face, in the picture of `quarters` turns alone."""
    photo = np.zeros((400, 400, 3), np.uint8)
    photo[100, 100] = 255
    calls = []
    row = np.array([[32, 30, 64, 60, *[50, 40] * 4, 50, 70, 0.95]], np.float32)
    face = Face((68.0, 68.0, 132.0, 132.0), 0.8, np.zeros((5, 2)))

    def find(picture):
        assert picture.shape == (128, 128, 3)
        calls.append(picture)
        return row if len(calls) == quarters else row[:0]

    found = upright(photo, face, find)  # the crop has the scale of the photo and begins at 36, 36
    eye, mouth = {
        1: ((36 + 128 - 40, 36 + 50), (36 + 128 - 70, 36 + 50)),
        2: ((36 + 128 - 50, 36 + 128 - 40), (36 + 128 - 50, 36 + 128 - 70)),
        3: ((36 + 40, 36 + 128 - 50), (36 + 70, 36 + 128 - 50)),
    }[quarters]
    np.testing.assert_allclose(found.landmarks[[0, 4]], [eye, mouth])
    box = {
        1: (36 + 38, 36 + 32, 36 + 98, 36 + 96),
        2: (36 + 32, 36 + 38, 36 + 96, 36 + 98),
        3: (36 + 30, 36 + 32, 36 + 90, 36 + 96),
    }[quarters]
    np.testing.assert_allclose(found.box, box)
    assert found.score == pytest.approx(0.95)


def test_a_neighbor_or_a_lower_score_changes_nothing():
    face = Face((68.0, 68.0, 132.0, 132.0), 0.8, np.zeros((5, 2)))
    corner = np.array([[0, 0, 30, 30, *[9] * 10, 0.95]], np.float32)
    unsure = np.array([[32, 30, 64, 60, *[50] * 10, 0.81]], np.float32)
    for row in (corner, unsure):
        assert upright(np.zeros((200, 200, 3), np.uint8), face, lambda _, row=row: row) is face
