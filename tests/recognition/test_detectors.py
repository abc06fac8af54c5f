"""Detection and alignment.

The face of the astronaut is found and aligned; a cat and a cup are not faces.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ferkit import Recognizer
from ferkit.errors import UserError
from ferkit.recognition import TRAINING_LANDMARKS, Face, cut_face, make_detector
from ferkit.recognition.alignment import similarity
from ferkit.recognition.photos import read_photo
from ferkit.recognition.yunet import MODEL

skimage = pytest.importorskip("skimage")
PHOTOS = Path(skimage.__file__).parent / "data"


@pytest.fixture(scope="module")
def yunet():
    return make_detector()


@pytest.fixture(scope="module")
def astronaut():
    return read_photo(PHOTOS / "astronaut.png")


def test_the_astronaut_is_one_face_and_a_cat_and_a_cup_are_none(yunet, astronaut):
    (face,) = yunet(astronaut)
    assert face.score > 0.85
    np.testing.assert_allclose(face.box, (178, 63, 268, 176), atol=6)
    eyes, mouth = face.landmarks[:2], face.landmarks[3:]
    assert eyes[0, 0] < eyes[1, 0]
    assert eyes[:, 1].mean() < face.landmarks[2, 1] < mouth[:, 1].mean()
    assert yunet(read_photo(PHOTOS / "chelsea.png")) == []
    assert yunet(read_photo(PHOTOS / "coffee.png")) == []


@pytest.mark.parametrize("size", [(150, 150), (3000, 3000), (301, 700)])
def test_faces_are_found_in_photos_of_any_size(yunet, astronaut, size):
    scale = min(size) / 512
    small = cv2.resize(
        astronaut,
        None,
        fx=scale,
        fy=scale,
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
    )
    photo = np.full((*size, 3), 90, np.uint8)
    photo[: small.shape[0], : small.shape[1]] = small
    (face,) = yunet(photo)
    np.testing.assert_allclose(np.array(face.box) / scale, (178, 63, 268, 176), atol=12)


def test_a_face_that_fills_the_photo_is_found(yunet, astronaut):
    close = cv2.resize(astronaut[20:220, 120:320], (1600, 1600), interpolation=cv2.INTER_CUBIC)
    (face,) = yunet(close)
    assert face.box[2] - face.box[0] > 500


@pytest.mark.parametrize("photo", [np.zeros((1, 1, 3)), np.zeros((1, 900, 3)), np.zeros((7, 3, 3))])
def test_tiny_photos_have_no_face(yunet, photo):
    assert yunet(photo.astype(np.uint8)) == []


@pytest.mark.parametrize("angle", [-35, 0, 20, 90, 180])
def test_alignment_turns_faces_upright(angle):
    """An artificial face: the landmarks of the training faces, rotated, scaled and moved."""
    turn = np.array(
        [
            [np.cos(np.radians(angle)), -np.sin(np.radians(angle))],
            [np.sin(np.radians(angle)), np.cos(np.radians(angle))],
        ]
    )
    marks = TRAINING_LANDMARKS * 90 @ turn.T + [150, 140]
    photo = np.zeros((400, 400, 3), np.uint8)
    for x, y in marks:
        cv2.circle(photo, (round(x), round(y)), 4, (255, 255, 255), -1)
    crop = cut_face(photo, Face((0, 0, 1, 1), 1.0, marks), 96)[:, :, 0].astype(float)
    for x, y in TRAINING_LANDMARKS * 96:
        part = crop[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4]
        assert part.mean() > 120
    assert crop.sum() < 1.6 * 255 * 5 * np.pi * (4.5 * 96 / 90) ** 2


def test_without_landmarks_the_box_decides_and_margin_widens(astronaut):
    face = Face((178, 63, 268, 175), 1.0)
    plain, wide = cut_face(astronaut, face, 112), cut_face(astronaut, face, 112, margin=1.0)
    np.testing.assert_array_equal(
        plain, astronaut[63:175, 167:279]
    )  # as high as the box: pixel by pixel
    shrunk = cv2.resize(plain, (56, 56), interpolation=cv2.INTER_AREA)
    assert np.abs(wide[28:84, 28:84].astype(int) - shrunk.astype(int)).mean() < 12


def test_the_edge_is_repeated_outside_the_photo():
    photo = np.full((20, 20, 3), 50, np.uint8)
    photo[:, -1] = 200
    crop = cut_face(photo, Face((10, 0, 30, 20), 1.0), 20)
    assert (crop[:, 12:] == 200).all()


def test_reduction_averages_pixels():
    photo = np.zeros((960, 960, 3), np.uint8)
    photo[::2] = 255  # stripes of one pixel: gray when it is reduced
    crop = cut_face(photo, Face((0, 0, 960, 960), 1.0), 48)
    assert np.abs(crop[2:-2, 2:-2].astype(int) - 127).max() < 8


def test_similarity_by_hand():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    targets = points @ np.array([[0.0, 2.0], [-2.0, 0.0]]) + [
        3,
        4,
    ]  # rotated by 90 degrees, twice as large
    np.testing.assert_allclose(similarity(points, targets), [[0, -2, 3], [2, 0, 4]], atol=1e-12)


def test_unavailable_detectors_are_one_line(tmp_path):
    with pytest.raises(UserError, match="--detector haar: unknown; choose from auto, yunet, none"):
        make_detector("haar")
    with pytest.raises(UserError, match=r"gone.onnx: no such file"):
        make_detector("yunet", tmp_path / "gone.onnx")
    for content in (b"", b"nonsense" * 100, MODEL.read_bytes()[:100_000]):
        (tmp_path / "bad.onnx").write_bytes(content)
        with pytest.raises(UserError, match=r"bad.onnx: not a YuNet model that OpenCV can read"):
            make_detector("auto", tmp_path / "bad.onnx")


@pytest.mark.parametrize("margin", [-1.0, -0.91, 10.1, float("nan"), float("inf")])
def test_a_margin_out_of_range_is_one_line(margin):
    message = f"--margin {margin:g}: out of range; give a number from -0.9 to 10"
    with pytest.raises(UserError, match=message):
        Recognizer(margin=margin)
