"""ImageFiles: resizing, channels, indexing, errors and threads."""

import cv2
import numpy as np
import pytest

from generate_data.errors import DataError
from generate_data.images.lazy_array import ImageFiles
from tests.support.kaggle_files import smooth_images


def test_image_files_resize_as_opencv_does(tmp_path, rng):
    large = rng.integers(0, 256, (50, 40, 3), dtype=np.uint8)
    small = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    tall = rng.integers(0, 256, (60, 10, 3), dtype=np.uint8)
    paths = [tmp_path / name for name in ("large.png", "small.png", "tall.png")]
    for path, image in zip(paths, (large, small, tall), strict=True):
        cv2.imwrite(str(path), image[:, :, ::-1])
    images = ImageFiles(paths, 20, 3, workers=2)
    assert (len(images), images.shape, images.dtype) == (3, (3, 20, 20, 3), np.uint8)
    squashed = cv2.resize(
        cv2.resize(tall, (10, 20), interpolation=cv2.INTER_AREA),
        (20, 20),
        interpolation=cv2.INTER_LINEAR,
    )
    expected = [
        cv2.resize(large, (20, 20), interpolation=cv2.INTER_AREA),
        cv2.resize(small, (20, 20), interpolation=cv2.INTER_LINEAR),
        squashed,
    ]
    np.testing.assert_array_equal(images[:], expected)
    np.testing.assert_array_equal(images[np.array([2, 0])], [expected[2], expected[0]])
    np.testing.assert_array_equal(images[[-1]], [expected[2]])
    np.testing.assert_array_equal(images[1], expected[1])
    np.testing.assert_array_equal(images[::-2], [expected[2], expected[0]])
    np.testing.assert_array_equal(images[np.array([False, True, False])], [expected[1]])
    assert images[3:].shape == images[[]].shape == (0, 20, 20, 3)
    with pytest.raises(IndexError):
        images[[3]]
    with pytest.raises(IndexError, match=r"Received: float64 array"):
        images[[0.5]]


def test_shrinking_by_half_averages_four_pixels(tmp_path):
    cv2.imwrite(
        str(tmp_path / "a.png"),
        np.array([[0, 4, 100, 100], [8, 20, 100, 100], [1, 1, 3, 3], [1, 1, 3, 3]], np.uint8),
    )
    assert ImageFiles([tmp_path / "a.png"], 2, 1)[0][..., 0].tolist() == [[8, 100], [1, 3]]


def test_colors(tmp_path):
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 2] = 200  # OpenCV writes blue, green, red
    cv2.imwrite(str(tmp_path / "red.png"), red)
    cv2.imwrite(str(tmp_path / "gray.png"), np.full((8, 8), 77, np.uint8))
    half = np.dstack([red, np.full((8, 8), 128, np.uint8)])  # blended with mid-gray
    cv2.imwrite(str(tmp_path / "alpha.png"), half)
    paths = [tmp_path / name for name in ("red.png", "gray.png", "alpha.png")]
    assert ImageFiles(paths, 8, 3)[:][:, 0, 0].tolist() == [
        [200, 0, 0],
        [77, 77, 77],
        [164, 63, 63],
    ]
    assert ImageFiles(paths, 8, 1)[:][:, 0, 0].tolist() == [[60], [77], [93]]  # 0.299 of red


def test_orientation_of_a_photo_is_honoured(tmp_path):
    from PIL import Image

    photo = Image.fromarray(np.repeat(np.array([[0, 255]], np.uint8), 16, axis=0).repeat(8, axis=1))
    exif = Image.Exif()
    exif[0x112] = 6  # to be turned right by a quarter
    photo.save(tmp_path / "turned.jpg", exif=exif)
    image = ImageFiles([tmp_path / "turned.jpg"], 16, 1)[0][..., 0]
    assert image[:6].max() < 10
    assert image[10:].min() > 245


def test_image_files_name_the_file(tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((4, 4), np.uint8))
    (tmp_path / "1.png").write_bytes(b"")
    images = ImageFiles([tmp_path / f"{index}.png" for index in range(3)], 4, 1)
    with pytest.raises(DataError, match=r"1.png: not an image that can be read \(0 bytes\)"):
        images[:2]
    with pytest.raises(DataError, match=r"2.png: the image is missing"):
        images[2]
    assert images[[0, 0]].shape == (2, 4, 4, 1)


@pytest.mark.parametrize(
    ("size", "channels", "match"), [(0, 3, "size=0"), (4, 2, "channels=2"), (4, 4, "channels=4")]
)
def test_image_files_check_their_arguments(size, channels, match):
    with pytest.raises(ValueError, match=match):
        ImageFiles([], size, channels)


def test_image_files_from_several_threads(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    for index, image in enumerate(smooth_images(20)):
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
    images = ImageFiles([tmp_path / f"{index}.png" for index in range(20)], 24, 1, workers=2)
    expected = images[:]
    rows = [np.random.default_rng(seed).permutation(20) for seed in range(16)]
    with ThreadPoolExecutor(4) as pool:
        for row, batch in zip(rows, pool.map(images.__getitem__, rows), strict=True):
            np.testing.assert_array_equal(batch, expected[row])
    images.close()
