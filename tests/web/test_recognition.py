"""The page that needs no server finds the faces that Python finds, with the same probabilities."""

import io

import keras
import numpy as np
import pytest
from PIL import Image, ImageFilter

from dan_tf import DAN
from ferkit.cli import main
from ferkit.demo.steps import ASTRONAUT
from ferkit.recognition.recognizer import Recognizer
from tests.support.browser import NEEDS_CHROMIUM, browser_page, drop, playwright
from tests.support.built_page import NEEDS_BUILT_PAGE, hosted, unclear_face

pytestmark = [pytest.mark.slow, NEEDS_CHROMIUM, NEEDS_BUILT_PAGE]
TOLERANCE = 0.01


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    with hosted(folder) as address, browser_page(folder / "profile") as page:
        page.goto(address)
        playwright.expect(page.locator("#measured")).to_contain_text("out of 100")
        yield page
        assert page.troubles == []


def astronaut(side=512):
    return Image.open(ASTRONAUT).convert("RGB").resize((side, side), Image.Resampling.LANCZOS)


def on(size, photo, *places):
    """A gray picture with the photo at these places."""
    ground = Image.new("RGB", size, (90, 100, 110))
    for place in places:
        ground.paste(photo, place)
    return ground


def saved(photo, kind="PNG", **options):
    file = io.BytesIO()
    photo.save(file, kind, **options)
    return file.getvalue()


def turned_by_exif():
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(astronaut().transpose(Image.Transpose.ROTATE_90), exif=exif)


def transparent():
    photo = astronaut()
    photo.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 512).astype(np.uint8), (512, 1))))
    return saved(photo)


PHOTOS = {
    "as it is": lambda: ASTRONAUT.read_bytes(),
    "small": lambda: saved(astronaut(150)),
    "enlarged": lambda: saved(astronaut(1500)),
    "mirrored": lambda: saved(astronaut().transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    "leaning": lambda: saved(astronaut().rotate(20, Image.Resampling.BICUBIC)),
    "sideways": lambda: saved(astronaut().transpose(Image.Transpose.ROTATE_90)),
    "upside down": lambda: saved(astronaut().transpose(Image.Transpose.ROTATE_180)),
    "gray": lambda: saved(astronaut().convert("L")),
    "turned by its EXIF": turned_by_exif,
    "half transparent": transparent,
    "side by side": lambda: saved(on((1100, 330), astronaut(300), (0, 0), (400, 30), (790, 10))),
    "of several sizes": lambda: saved(
        on((900, 620), astronaut(420), (0, 0), (430, 190)).transform(
            (700, 540), Image.Transform.AFFINE, (1.1, 0.05, -20, 0.02, 1.2, -30)
        )
    ),
    "small in a large one": lambda: saved(
        on((2600, 1700), astronaut(90), *[(i * 230 + 40, i * 140 + 60) for i in range(10)])
    ),
    "a long one": lambda: saved(on((400, 3000), astronaut(260), (60, 100), (90, 1500), (40, 2700))),
    "unclear": lambda: saved(Image.fromarray(unclear_face(np.asarray(astronaut())))),
    "blurred": lambda: saved(astronaut().filter(ImageFilter.GaussianBlur(8.5))),
    "cut off": lambda: saved(astronaut().crop((190, 40, 400, 300))),
}


def shown(page):
    """The faces on the page: box as fractions of the picture, probabilities."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".box")].map((box, i) => ({
            box: ["left", "top", "width", "height"].map((name) => parseFloat(box.style[name]) / 100),
            probabilities: [...document.querySelectorAll(".face")[i].querySelectorAll(".bars li")].map(
                (row) => parseFloat(row.querySelector("i").style.width) / 100),
        }))"""
    )


def upright_size(content):
    photo = Image.open(io.BytesIO(content))
    is_turned = photo.getexif().get(0x0112) == 6
    return photo.size[::-1] if is_turned else photo.size


@pytest.mark.parametrize("name", PHOTOS)
def test_probabilities_are_those_of_python(name, page, recognizer):
    content = PHOTOS[name]()
    expected = recognizer.predict(content)
    drop(page, content)
    playwright.expect(page.locator("#status")).not_to_contain_text("Analyzing", timeout=60_000)
    faces = shown(page)
    assert len(faces) == len(expected) > 0
    width, height = upright_size(content)
    for seen, face in zip(faces, expected, strict=True):
        left, top, right, bottom = face.box
        box = (left / width, top / height, (right - left) / width, (bottom - top) / height)
        np.testing.assert_allclose(seen["box"], box, atol=0.002)
        wanted = list(face.probabilities.values())
        np.testing.assert_allclose(seen["probabilities"], wanted, atol=TOLERANCE)


def test_a_model_of_the_user_in_color_runs_too(tmp_path, page):
    file, site = tmp_path / "mine.keras", tmp_path / "site"
    small = {"image_size": 32, "channels": 3, "head_width": 8, "stem_stride": 2}
    keras.utils.set_random_seed(0)
    model = DAN("convnext_face", num_heads=2, class_names=("good", "bad", "odd"), **small)
    for weight in model.trainable_weights:
        if weight.shape[-1] == 3:  # of the classes
            weight.assign(weight * 0.2)
    model.save(file)
    assert main(["export", "--format", "web", "--output", str(site), "--weights", str(file)]) == 0
    (expected,) = Recognizer(file).predict(ASTRONAUT)
    assert 0.4 < expected.confidence < 0.9  # other pixels would change it
    with hosted(tmp_path, site) as address:
        page.goto(address)
        playwright.expect(page.locator("#count")).to_have_text("three")
        drop(page, ASTRONAUT.read_bytes())
        playwright.expect(page.locator("#status")).to_contain_text("One face", timeout=30_000)
        (face,) = shown(page)
        wanted = list(expected.probabilities.values())
        np.testing.assert_allclose(face["probabilities"], wanted, atol=TOLERANCE)
        assert page.locator("#measured").inner_text() == "It has not been measured."
