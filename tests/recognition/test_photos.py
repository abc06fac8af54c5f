"""Photos of every format become the same upright RGB array; other files are a one-line error."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from ferkit.recognition.photos import PhotoError, read_photo

RED_BESIDE_BLUE = np.zeros((8, 16, 3), np.uint8)
RED_BESIDE_BLUE[:, :8, 0], RED_BESIDE_BLUE[:, 8:, 2] = 255, 255
RAMP = np.tile(np.arange(0, 256, 16, dtype=np.uint8), (8, 1))


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM"])
def test_lossless_formats_are_read_alike(kind, tmp_path):
    options = {"lossless": True} if kind == "WEBP" else {}
    path = tmp_path / "wrongly named.txt"
    path.write_bytes(encoded(Image.fromarray(RED_BESIDE_BLUE), kind, **options))
    np.testing.assert_array_equal(read_photo(path), RED_BESIDE_BLUE)
    np.testing.assert_array_equal(read_photo(path.read_bytes()), RED_BESIDE_BLUE)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(orientation):
    # How a camera that writes this value has rotated the picture, in Pillow's Transpose.
    turned = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}.get(orientation)
    upright = Image.fromarray(RED_BESIDE_BLUE)
    stored = upright if turned is None else upright.transpose(Image.Transpose(turned))
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = read_photo(encoded(stored, "JPEG", exif=exif, quality=100, subsampling=0))
    assert photo.shape == RED_BESIDE_BLUE.shape
    assert np.abs(photo.astype(int) - RED_BESIDE_BLUE).max() < 12


def test_gray_sixteen_bits_floats_and_one_bit():
    expected = np.repeat(RAMP[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(read_photo(encoded(Image.fromarray(RAMP))), expected)
    np.testing.assert_array_equal(
        read_photo(encoded(Image.fromarray(RAMP.astype(np.uint16) * 257))), expected
    )
    np.testing.assert_array_equal(
        read_photo(encoded(Image.fromarray((RAMP / 255).astype(np.float32)), "TIFF")), expected
    )
    bits = read_photo(encoded(Image.fromarray(RAMP > 100)))
    np.testing.assert_array_equal(bits[:, :, 0], (RAMP > 100) * 255)


def test_cmyk_palette_and_transparency():
    cmyk = read_photo(
        encoded(
            Image.fromarray(RED_BESIDE_BLUE).convert("CMYK"), "JPEG", quality=100, subsampling=0
        )
    )
    assert np.abs(cmyk.astype(int) - RED_BESIDE_BLUE).max() < 30
    np.testing.assert_array_equal(
        read_photo(encoded(Image.fromarray(RED_BESIDE_BLUE).convert("P"))), RED_BESIDE_BLUE
    )
    clear = np.dstack([RED_BESIDE_BLUE, np.full((8, 16), 255, np.uint8)])
    clear[0], clear[1, :, 3] = 0, 102  # the first row is transparent, the second 40 % opaque
    photo = read_photo(encoded(Image.fromarray(clear)))
    assert (photo[0] == 127).all()
    assert photo[1, 0].tolist() == pytest.approx(
        [0.4 * 255 + 0.6 * 127, 0.6 * 127, 0.6 * 127], abs=1
    )
    np.testing.assert_array_equal(photo[2:], RED_BESIDE_BLUE[2:])
    np.testing.assert_allclose(read_photo(clear), photo, atol=1)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_of_an_animation_is_used(kind):
    first, second = Image.fromarray(RED_BESIDE_BLUE), Image.fromarray(255 - RED_BESIDE_BLUE)
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(first, kind, save_all=True, append_images=[second], **options)
    np.testing.assert_array_equal(read_photo(content), RED_BESIDE_BLUE)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3, 2)])
def test_odd_sizes(size):
    assert read_photo(encoded(Image.new("RGB", size))).shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    "array", [RAMP, RAMP[:, :, None], RAMP / 255, RAMP.astype(np.uint16) * 257]
)
def test_arrays_of_gray(array):
    np.testing.assert_array_equal(read_photo(array), np.repeat(RAMP[:, :, None], 3, axis=2))


def bomb():
    """A PNG that claims 60,000 x 60,000 pixels in a few bytes."""
    small = bytearray(encoded(Image.new("L", (4, 4))))
    small[16:24] = (60_000).to_bytes(4, "big") * 2
    small[29:33] = zlib.crc32(bytes(small[12:29])).to_bytes(4, "big")
    return bytes(small)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty, 0 bytes"),
        (b"hello, no photo at all", r"not a photo in a supported format \(22 bytes\)"),
        (
            encoded(
                Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)),
                "JPEG",
            )[:900],
            "damaged",
        ),
        (
            encoded(
                Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
            )[:900],
            "damaged",
        ),
        (bomb(), "more than 120 million pixels; reduce its size"),
        (np.zeros((0, 5, 3), np.uint8), "an array of shape"),
        (np.zeros((5, 5, 2), np.uint8), "an array of shape"),
        (np.full((5, 5), 200.0), r"expected values in \[0, 1\]"),
        (np.zeros((5, 5), np.int64), "an array of int64"),
    ],
)
def test_what_is_not_a_photo_is_one_line(content, message):
    with pytest.raises(PhotoError, match=message) as raised:
        read_photo(content)
    assert "\n" not in str(raised.value)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(PhotoError, match=r"gone.jpg: no such file"):
        read_photo(tmp_path / "gone.jpg")
    with pytest.raises(PhotoError, match="cannot be read"):
        read_photo(tmp_path)
