"""YuNet in LiteRT and in OpenCV find the same faces, at the same places, with the same scores."""

import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from ferkit.errors import UserError
from ferkit.recognition import make_detector, yunet
from ferkit.recognition.photos import read_photo
from ferkit.recognition.yunet import MODEL, YuNet, YuNetInLiteRT, YuNetInOpenCV
from ferkit.recognition.yunet_litert import SIZES, without_overlaps

skimage = pytest.importorskip("skimage")
PHOTOS = Path(skimage.__file__).parent / "data"
PIXELS, SCORE = 0.5, 0.01  # largest accepted differences; measured: 0.00004


@pytest.fixture(scope="module")
def in_litert():
    detector = YuNet()
    assert isinstance(detector._find, YuNetInLiteRT)
    return detector


@pytest.fixture(scope="module")
def in_opencv():
    return YuNet(MODEL)


@pytest.fixture(scope="module")
def astronaut():
    return read_photo(PHOTOS / "astronaut.png")


def turned(photo, angle, scale, size):
    """The middle of a photo, rotated and scaled, in a photo of (width, height) pixels."""
    matrix = cv2.getRotationMatrix2D((223, 119), angle, scale)
    matrix[:, 2] += np.array(size) / 2 - (223, 119)
    return cv2.warpAffine(photo, matrix, size, flags=cv2.INTER_AREA)


def drawn_face(size=256):
    """A face of ellipses that YuNet takes for one."""
    photo = np.full((size, size, 3), 180, np.uint8)
    unit = size / 256

    def ellipse(x, y, width, height, color):
        axes = round(width * unit), round(height * unit)
        cv2.ellipse(photo, (round(x * unit), round(y * unit)), axes, 0, 0, 360, color, -1)

    ellipse(128, 128, 62, 84, (60, 40, 30))
    ellipse(128, 136, 55, 74, (224, 172, 140))
    for x in (104, 152):
        ellipse(x, 118, 12, 6, (255, 255, 255))
        ellipse(x, 118, 5, 5, (40, 30, 30))
        ellipse(x, 104, 14, 3, (60, 40, 30))
    ellipse(128, 142, 7, 12, (196, 140, 112))
    ellipse(128, 172, 22, 7, (170, 60, 60))
    return cv2.GaussianBlur(photo, (0, 0), 1.5 * unit)


def assert_same(found, expected):
    assert len(found) == len(expected)
    for face, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(face.box, other.box, rtol=0, atol=PIXELS)
        np.testing.assert_allclose(face.landmarks, other.landmarks, rtol=0, atol=PIXELS)
        assert abs(face.score - other.score) < SCORE


@pytest.mark.parametrize(
    ("angle", "scale", "size"),
    [
        (0, 1, (512, 512)),  # no padding
        (0, 1, (500, 333)),  # padded on the right and below
        (0, 0.5, (97, 161)),
        (0, 0.2, (64, 33)),  # a face of 20 pixels
        (15, 0.8, (320, 200)),
        (-30, 1.2, (639, 479)),
        (-10, 3, (1500, 1000)),  # reduced for the detector
        (180, 1, (400, 400)),  # upside down
    ],
)
def test_a_photo_rotated_scaled_and_padded(in_litert, in_opencv, astronaut, angle, scale, size):
    photo = turned(astronaut, angle, scale, size)
    expected = in_opencv(photo)
    assert len(expected) == 1 or abs(angle) > 90
    assert_same(in_litert(photo), expected)


def test_a_face_that_is_found_at_the_second_try(in_litert, in_opencv, astronaut):
    close = cv2.resize(astronaut[20:220, 120:320], (1600, 1600), interpolation=cv2.INTER_CUBIC)
    expected = in_opencv(close)
    assert len(expected) == 1
    assert_same(in_litert(close), expected)


@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png"])
def test_a_cat_and_a_cup_are_no_faces(in_litert, in_opencv, name):
    assert in_litert(read_photo(PHOTOS / name)) == in_opencv(read_photo(PHOTOS / name)) == []


def test_several_faces_highest_score_first(in_litert, in_opencv, astronaut):
    head = astronaut[30:210, 140:310]
    photo = np.hstack([head, cv2.GaussianBlur(head, (0, 0), 3), head[:, ::-1]])
    found = in_litert(photo)
    assert_same(found, in_opencv(photo))
    assert len(found) == 3
    assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)


@pytest.mark.parametrize("size", [96, 256, 410])
def test_drawn_faces(in_litert, in_opencv, size):
    photo = drawn_face(size)
    expected = in_opencv(photo)
    assert len(expected) == 1
    assert_same(in_litert(photo), expected)


def test_all_candidates_of_noise_and_of_a_face_with_a_low_score(astronaut):
    """Hundreds of candidates, so that decoding and suppression are compared in all scales."""
    noise = np.random.default_rng(0).integers(0, 256, (130, 201, 3), np.uint8)
    ours, theirs = YuNet(min_score=0.02), YuNet(MODEL, min_score=0.02)
    for photo in (noise, astronaut, drawn_face()):
        assert_same(ours(photo), theirs(photo))
    assert len(ours(astronaut)) > 3


def test_sizes_in_any_order_keep_few_interpreters(astronaut):
    detector, sizes = YuNet(threads=1), [(512, 512), (256, 320), (384, 256), (320, 320), (512, 512)]
    first = {size: detector(turned(astronaut, 0, 1, size)) for size in sizes}
    for size in sizes:
        assert_same(detector(turned(astronaut, 0, 1, size)), first[size])
    assert len(detector._find._by_size) == SIZES


def test_one_detector_for_each_thread(in_litert, astronaut):
    photos = [turned(astronaut, 5 * n, 0.7, (300 + 40 * n, 280)) for n in range(4)]
    expected, found = [in_litert(photo) for photo in photos], [None] * len(photos)

    def work(number):
        detector = YuNet(threads=1)
        for _ in range(10):
            found[number] = detector(photos[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(photos))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for faces, others in zip(found, expected, strict=True):
        assert_same(faces, others)


def test_suppression_by_hand():
    rows = np.zeros((4, 15), np.float32)
    rows[:, :4] = [[0, 0, 10, 10], [0, 5, 10, 10], [0, 6, 10, 10], [50, 50, 9, 9]]
    rows[:, -1] = [0.8, 0.9, 0.85, 0.75]
    # Intersections over union: 1/3 with the first, 9/11 with the third.
    assert without_overlaps(rows, 0.7)[:, -1].tolist() == pytest.approx([0.9, 0.75])
    assert len(without_overlaps(rows[:0], 0.7)) == 0


def test_opencv_runs_it_where_litert_is_not_installed(monkeypatch, in_opencv, astronaut):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)  # as if not installed
    detector = make_detector()
    assert isinstance(detector._find, YuNetInOpenCV)
    assert_same(detector(astronaut), in_opencv(astronaut))


def test_a_damaged_or_missing_included_file_is_one_line(monkeypatch, tmp_path):
    file = tmp_path / "yunet.tflite"
    monkeypatch.setattr(yunet, "LITERT_MODEL", file)
    with pytest.raises(UserError, match=r"yunet.tflite: cannot be read"):
        make_detector()
    file.write_bytes(MODEL.read_bytes()[:-1])
    monkeypatch.setitem(yunet.HASHES, file, "0" * 64)
    with pytest.raises(UserError, match=r"yunet.tflite: damaged: its sha256 is not the expected"):
        make_detector()
