"""Photos come as file objects, Pillow images, and arrays of RGB or BGR; bad ones are one line."""

import io
import threading
import warnings

import numpy as np
import pytest
from PIL import Image, ImageFile

from ferkit.process import WarningsHidden
from ferkit.recognition.photos import (
    PhotoError,
    TooManyPixelsError,
    kept_photo,
    photo_name,
    read_photo,
)

RED_BESIDE_BLUE = np.zeros((8, 16, 3), np.uint8)
RED_BESIDE_BLUE[:, :8, 0], RED_BESIDE_BLUE[:, 8:, 2] = 255, 255
NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


CONTENT = encoded(Image.fromarray(RED_BESIDE_BLUE))


class Connection:
    """A file object with nothing but read()."""

    def __init__(self, content):
        self.content = content

    def read(self):
        return self.content


@pytest.mark.parametrize(
    "source", [io.BytesIO(CONTENT), Connection(CONTENT), bytearray(CONTENT), memoryview(CONTENT)]
)
def test_bytes_and_file_objects_are_read(source):
    np.testing.assert_array_equal(read_photo(source), RED_BESIDE_BLUE)


def test_a_file_is_read_from_its_position_and_named_in_errors(tmp_path):
    path = tmp_path / "two.bin"
    path.write_bytes(b"header" + CONTENT)
    with open(path, "rb") as file:
        file.seek(6)
        np.testing.assert_array_equal(read_photo(file), RED_BESIDE_BLUE)
        with pytest.raises(PhotoError, match=r"two.bin: empty, 0 bytes; rewind it: seek\(0\)"):
            read_photo(file)


@pytest.mark.parametrize("orientation", [3, 6, 8])
@pytest.mark.parametrize("is_decoded", [False, True])
def test_a_pillow_image_is_read_like_its_file(orientation, is_decoded):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(NOISE[:, :32]), "JPEG", exif=exif)
    image = Image.open(io.BytesIO(content))
    if is_decoded:
        image.load()
    np.testing.assert_array_equal(read_photo(image), read_photo(content))
    assert image.size == (32, 64), "the image of the caller is not changed"


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(np.dstack([NOISE, NOISE[:, :, 0]])),
        Image.fromarray(NOISE).convert("P"),
        Image.fromarray(NOISE[:, :, 0].astype(np.uint16) * 257),
        Image.fromarray(NOISE[:, :, 0]).convert("LA"),
        Image.fromarray(NOISE[:, :, 0] > 100),
    ],
    ids=["transparent", "palette", "16 bits", "gray with alpha", "1 bit"],
)
def test_pillow_modes_are_read_like_files(image):
    np.testing.assert_array_equal(read_photo(image), read_photo(encoded(image)))


def test_a_palette_image_with_a_transparent_color_is_read_like_its_file():
    content = encoded(Image.fromarray(RED_BESIDE_BLUE).convert("P"), transparency=0)
    np.testing.assert_array_equal(read_photo(Image.open(io.BytesIO(content))), read_photo(content))


def test_the_current_frame_of_a_pillow_image_is_used():
    frames = [Image.fromarray(RED_BESIDE_BLUE), Image.fromarray(255 - RED_BESIDE_BLUE)]
    image = Image.open(
        io.BytesIO(encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]))
    )
    image.seek(1)
    np.testing.assert_array_equal(read_photo(image), 255 - RED_BESIDE_BLUE)


def test_bgr_is_an_order_of_arrays_alone():
    np.testing.assert_array_equal(
        read_photo(RED_BESIDE_BLUE[:, :, ::-1], bgr=True), RED_BESIDE_BLUE
    )
    clear = np.dstack([RED_BESIDE_BLUE, np.full((8, 16), 102, np.uint8)])
    np.testing.assert_array_equal(
        read_photo(clear[:, :, [2, 1, 0, 3]], bgr=True), read_photo(clear)
    )
    gray = NOISE[:, :, 0]
    for shape in ((64, 64), (64, 64, 1)):
        np.testing.assert_array_equal(
            read_photo(gray.reshape(shape), bgr=True), read_photo(gray.reshape(shape))
        )
    for source in (CONTENT, io.BytesIO(CONTENT), Image.fromarray(RED_BESIDE_BLUE)):
        np.testing.assert_array_equal(read_photo(source, bgr=True), RED_BESIDE_BLUE)


def closed_file():
    file = io.BytesIO(CONTENT)
    file.close()
    return file


def closed_image():
    image = Image.open(io.BytesIO(CONTENT))
    image.close()
    return image


def cut_off_image():
    return Image.open(io.BytesIO(encoded(Image.fromarray(NOISE), "JPEG")[:900]))


class Timeout(Connection):
    def read(self):
        raise TimeoutError("timed out\nafter 3 s")


BAD = {
    "empty file": (lambda: io.BytesIO(), r"the file object given: empty, 0 bytes; rewind it"),
    "closed file": (closed_file, r"cannot be read \(I/O operation on closed file"),
    "text file": (
        lambda: io.StringIO("text"),
        r'gives text instead of bytes; open it with mode "rb"',
    ),
    "file that would block": (lambda: Connection(None), "gives NoneType instead of bytes"),
    "connection that fails": (lambda: Timeout(b""), r"cannot be read \(timed out\)"),
    "file of text": (lambda: io.BytesIO(b"no photo"), r"not a photo in a supported format \(8 b"),
    "closed image": (closed_image, r"the Pillow image given: cannot be decoded \("),
    "cut off image": (cut_off_image, r"the Pillow image given: cannot be decoded \("),
    "image without pixels": (lambda: Image.new("RGB", (0, 5)), "no pixels: 0 x 5"),
    "array without pixels": (lambda: np.zeros((5, 0, 3), np.uint8), "an array of shape"),
    "array of 5 channels": (lambda: np.zeros((5, 5, 5), np.uint8), "an array of shape"),
    "array of 4 axes": (lambda: np.zeros((1, 5, 5, 3), np.uint8), "an array of shape"),
    "number in an array": (lambda: np.array(3), r"an array of shape \(\)"),
    "NaN": (lambda: np.full((5, 5, 3), np.nan), r"expected values in \[0, 1\]"),
    "infinity": (lambda: np.full((5, 5, 3), np.inf), r"expected values in \[0, 1\]"),
    "array of objects": (lambda: np.full((5, 5), None), "an array of object"),
    "array of text": (lambda: np.full((5, 5), "x"), "an array of <U1"),
    "None": (lambda: None, "a photo of type NoneType: expected a path, bytes, a binary file"),
    "list": (lambda: [[0, 0], [0, 0]], "a photo of type list: expected a path"),
    "null character": (lambda: "a\0.jpg", "cannot be read"),
}


@pytest.mark.parametrize("bgr", [False, True])
@pytest.mark.parametrize("kind", BAD)
def test_bad_sources_are_one_line(kind, bgr):
    make, message = BAD[kind]
    with pytest.raises(PhotoError, match=message) as raised:
        read_photo(make(), bgr=bgr)
    assert "\n" not in str(raised.value)
    kept = kept_photo(make())  # an error comes at the latest when it is read
    with pytest.raises(PhotoError, match=message):
        raise kept if isinstance(kept, PhotoError) else error_of(kept)


def error_of(source):
    with pytest.raises(PhotoError) as raised:
        read_photo(source)
    return raised.value


def test_a_cut_off_pillow_image_is_refused_whatever_the_global_switch(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(PhotoError, match="cannot be decoded"):
        read_photo(cut_off_image())


@pytest.mark.parametrize(
    "source", [NOISE, Image.fromarray(NOISE), io.BytesIO(encoded(Image.fromarray(NOISE)))]
)
def test_the_limit_of_pixels_holds_for_all(source):
    with pytest.raises(TooManyPixelsError, match="more than 0 million pixels; reduce its size"):
        read_photo(source, max_pixels=64 * 64 - 1)


def test_a_kept_photo_is_independent_of_its_source(tmp_path):
    array, image = RED_BESIDE_BLUE.copy(), Image.open(io.BytesIO(CONTENT))
    path = tmp_path / "photo.png"
    path.write_bytes(CONTENT)
    with open(path, "rb") as file:
        kept = [kept_photo(source) for source in (array, image, file, CONTENT, path)]
    array[:] = 0
    image.close()
    for photo in kept:
        np.testing.assert_array_equal(read_photo(photo), RED_BESIDE_BLUE)
    assert [photo_name(photo) for photo in kept] == ["", "", str(path), "", str(path)]


def test_hidden_warnings_are_shared_by_threads_and_restored():
    hidden, inside, both = WarningsHidden("nowhere"), threading.Event(), threading.Event()

    def second():
        with hidden:
            inside.set()
            both.wait(5)

    before = list(warnings.filters)
    thread = threading.Thread(target=second)
    with hidden:
        thread.start()
        inside.wait(5)
    assert warnings.filters != before
    both.set()
    thread.join()
    assert warnings.filters == before
