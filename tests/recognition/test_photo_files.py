"""Files that are no photos for us, deep and transparent pixels, and the memory of large photos."""

import io
import os
import subprocess
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from ferkit import PhotoError, Recognizer, read_photo
from generate_data.errors import DataError
from generate_data.images import photo_file, png
from generate_data.images.pixels import eight_bits, on_gray
from generate_data.images.png import read_image

RAMP = np.tile(np.arange(0, 256, 16, dtype=np.uint8), (8, 1))


def saved(path, image, kind="PNG", **options):
    image.save(path, format=kind, **options)
    return path


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_gray_of_ten_and_twelve_bits_has_its_brightness(bits, tmp_path):
    """The brightest value decides: 4080 of 12 bits is 254, as 240 of 8 bits is 240."""
    full = 2**bits - 1
    pixels = np.round(RAMP / 255 * full).astype(np.uint16)
    path = saved(tmp_path / "deep.png", Image.fromarray(pixels))
    for received in (read_photo(path)[:, :, 0], read_photo(pixels)[:, :, 0], read_image(path)):
        assert (received.dtype, received.shape) == (np.uint8, RAMP.shape)
        assert np.abs(received.astype(int) - RAMP).max() <= 1


def test_other_ranges_by_hand():
    assert eight_bits(np.array([[0, 4095]], np.uint16)).tolist() == [[0, 255]]
    assert eight_bits(np.array([[0.0, 0.2, 1.0]])).tolist() == [[0, 51, 255]]
    assert eight_bits(np.array([[-100, 0, 155]], np.int32)).tolist() == [[0, 100, 255]]
    assert eight_bits(np.array([[0, 70_000]], np.int32)).tolist() == [[0, 255]]
    assert eight_bits(np.array([[0, 65_535]], ">u2")).tolist() == [[0, 255]]
    assert eight_bits(np.array([[np.nan, np.inf, 1.0]], np.float32)).tolist() == [[0, 0, 255]]


def test_blending_by_hand():
    pixels = np.array([[[200, 0, 100, 255], [200, 0, 100, 0], [200, 0, 100, 51]]], np.uint8)
    fifth = [round(0.2 * c + 0.8 * 127) for c in (200, 0, 100)]
    assert on_gray(pixels).tolist() == [[[200, 0, 100], [127] * 3, fifth]]


def transparent(kind):
    colors = np.zeros((40, 60, 4), np.uint8)
    colors[:, :, 0] = np.arange(60) * 4
    colors[:, :, 3] = (np.arange(40) * 6)[:, None]
    image = Image.fromarray(colors)
    if kind == "gray and opacity":
        return image.convert("LA")
    if kind == "palette":
        return image.quantize(16)
    return image


@pytest.mark.parametrize("kind", ["color", "gray and opacity", "palette", "WebP", "color key"])
def test_training_sees_transparent_pixels_as_prediction_does(kind, tmp_path):
    path, options = tmp_path / "clear.png", {}
    if kind == "WebP":
        options = {"kind": "WEBP", "lossless": True}
    image = transparent(kind)
    if kind == "color key":
        image, options = image.convert("RGB"), {"transparency": (0, 0, 0)}
    saved(path, image, **options)
    expected = read_photo(path)
    assert np.abs(expected[0, 0].astype(int) - 127).max() < 15  # a palette has no exact colors
    np.testing.assert_array_equal(read_image(path), expected)
    gray = read_image(path, gray=True)
    assert gray.shape == (40, 60)
    assert abs(int(gray[0, 0]) - 127) < 15


@pytest.mark.parametrize("kind", ["pipe", "device", "large file"])
def test_what_is_no_file_of_a_photo_is_one_line(kind, tmp_path, monkeypatch):
    path = tmp_path / "photo.png"
    reason = "not a regular file"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = "/dev/zero"
    else:
        with open(path, "wb") as file:
            file.truncate(photo_file.MAX_BYTES + 1)  # takes no space
        reason = "larger than 500 MB"
    with pytest.raises(PhotoError, match=rf"cannot be read \({reason}\)"):
        read_photo(path)
    with pytest.raises(DataError, match=rf"cannot read the image \({reason}\)"):
        read_image(path)
    assert Recognizer(detector="none").file  # a recognizer takes it as one bad photo of many
    results = Recognizer(detector="none").predict_many([path, RAMP], on_error="return")
    assert [type(result).__name__ for result in results] == ["PhotoError", "Faces"]


def test_set_up_refuses_the_photos_that_prediction_refuses(tmp_path, monkeypatch):
    monkeypatch.setattr(png, "MAX_PIXELS", 400 * 300 - 1)
    noise = np.random.default_rng(0).integers(0, 256, (300, 400), np.uint8)
    path = saved(tmp_path / "large.png", Image.fromarray(noise))
    with pytest.raises(DataError, match=r"large.png: more than \d+ million pixels; red"):
        read_image(path)
    monkeypatch.setattr(png, "MAX_PIXELS", 400 * 300)
    assert read_image(path).shape == (300, 400)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n"


def test_eps_never_starts_a_program(tmp_path, monkeypatch):
    def start(*_, **__):
        raise AssertionError("a program was started")

    for name in ("Popen", "run", "call", "check_call", "check_output"):
        monkeypatch.setattr(subprocess, name, start)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", "gs", raising=False)
    (tmp_path / "photo.jpg").write_bytes(EPS)
    for source in (tmp_path / "photo.jpg", EPS, Image.open(io.BytesIO(EPS))):
        with pytest.raises(PhotoError, match="EPS is not supported; convert it to PNG"):
            read_photo(source)


def test_photos_in_strips_are_the_same(monkeypatch, tmp_path):
    colors = np.random.default_rng(0).integers(0, 256, (50, 30, 4), np.uint8)
    paths = [
        saved(tmp_path / "clear.png", Image.fromarray(colors)),
        saved(tmp_path / "plain.png", Image.fromarray(colors[:, :, :3])),
        saved(tmp_path / "palette.png", Image.fromarray(colors[:, :, :3]).quantize(9)),
        saved(tmp_path / "cmyk.jpg", Image.fromarray(colors, "CMYK"), "JPEG"),
    ]
    at_once = [read_photo(path) for path in paths]
    monkeypatch.setattr("ferkit.recognition.photos.STRIP_PIXELS", 30 * 7)
    for path, expected in zip(paths, at_once, strict=True):
        np.testing.assert_array_equal(read_photo(path), expected)


@pytest.mark.parametrize(
    "array",
    [
        np.full((1000, 2000, 4), 200, np.uint8),
        np.full((1000, 2000, 3), 20_000, np.uint16),
        np.full((1000, 2000, 3), 0.5, np.float32),
        np.full((1000, 2000), 20_000, np.uint16),
    ],
)
def test_conversion_takes_few_bytes_for_each_pixel(array):
    """The result takes three; float64 would take 24 more."""
    tracemalloc.start()
    try:
        read_photo(array)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak / (1000 * 2000) < 12
