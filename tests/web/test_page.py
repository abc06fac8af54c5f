"""The page that needs no server, in a real browser: photos, camera, keyboard, phone, offline."""

import numpy as np
import pytest
from PIL import Image

from ferkit import Recognizer
from ferkit.demo.steps import ASTRONAUT
from tests.support.browser import (
    NEEDS_CHROMIUM,
    PHONE,
    browser_page,
    camera_film,
    contrast,
    drop,
    look,
    playwright,
    status,
)
from tests.support.built_page import NEEDS_BUILT_PAGE, hosted, unclear_face
from tests.support.serving_client import encoded

pytestmark = [pytest.mark.slow, NEEDS_CHROMIUM, NEEDS_BUILT_PAGE]


@pytest.fixture(scope="module")
def astronaut():
    return np.asarray(Image.open(ASTRONAUT).convert("RGB"))


@pytest.fixture(scope="module")
def film(astronaut, tmp_path_factory):
    """A camera film of 640 x 480 pixels: the astronaut, moving."""
    path = tmp_path_factory.mktemp("film") / "camera.mjpeg"
    camera_film(path, astronaut)
    return path


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with hosted(tmp_path_factory.mktemp("site")) as address:
        yield address


@pytest.fixture
def page(address, film, tmp_path):
    with browser_page(tmp_path / "profile", film) as page:
        page.goto(address)
        ready(page)
        yield page
        assert page.troubles == []


def ready(page):
    playwright.expect(page.locator("#measured")).to_contain_text("out of 100", timeout=30_000)


def test_a_dropped_photo_has_a_box_and_bars(page, astronaut):
    look(page, "empty", full_page=True)
    drop(page, encoded(astronaut))
    status(page, r"One face: happy, 9\d %\.")
    box, picture = page.locator(".box").bounding_box(), page.locator("#canvas").bounding_box()
    assert 0.3 < (box["x"] - picture["x"]) / picture["width"] < 0.4  # the face is where it is
    assert page.locator(".bars li").count() == 7
    assert "happy" in page.locator(".bars .first").inner_text()
    look(page, "photo", full_page=True)


def test_a_pasted_photo_is_analyzed(page, astronaut):
    drop(page, encoded(astronaut), event="paste")
    status(page, "One face: happy")


def test_everything_works_by_keyboard(page, tmp_path):
    page.keyboard.press("Tab")  # the link that skips
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
    look(page, "focus")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(ASTRONAUT)
    status(page, "One face")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "camera"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert page.locator(".box.chosen").count() == 1
    page.keyboard.press("Enter")
    assert not page.locator(".bars").is_visible()


def test_what_it_does_not_know_is_said(page):
    drop(page, encoded(np.full((300, 400, 3), 90)))
    status(page, "No face found")
    look(page, "no-face")
    page.get_by_role("button", name="Use the complete photo as one face").click()
    status(page, "The complete photo as one face: ")
    drop(page, b"no photo at all")
    status(page, "Not possible: not a photo in a format that this browser can read")
    look(page, "no-photo")


def test_several_faces_are_numbered(page, astronaut):
    face = astronaut[:300, 80:380]
    drop(page, encoded(np.concatenate([np.concatenate([face] * 3, axis=1)] * 2)))
    status(page, r"^6 faces\.")
    look(page, "many", full_page=True)
    page.emulate_media(color_scheme="dark")
    look(page, "many-dark", full_page=True)


def test_an_unclear_face_is_said_to_be_unclear(page, astronaut):
    photo = unclear_face(astronaut)
    (face,) = Recognizer().predict(photo)
    assert face.is_unsure
    drop(page, encoded(photo, "PNG"))
    status(page, f"One face: unclear, perhaps {face.label}")
    assert "No word stands out" in page.locator(".doubt").inner_text()
    look(page, "unclear")


def test_the_camera_runs_live_and_its_last_picture_stays(page):
    page.get_by_role("button", name="Use the camera").click()
    page.wait_for_selector(".box")
    status(page, "One face")
    assert page.locator("#video").is_visible()
    first = page.locator(".box").get_attribute("style")
    playwright.expect(page.locator(".box")).not_to_have_attribute("style", first, timeout=30_000)
    look(page, "camera")
    page.get_by_role("button", name="Stop the camera").click()
    status(page, "One face")
    assert page.locator("#canvas").is_visible()
    assert not page.locator("#video").is_visible()


def test_it_works_offline_after_the_first_visit(film, astronaut, tmp_path):
    with browser_page(tmp_path / "profile", film) as page:
        with hosted(tmp_path) as address:
            page.goto(address)
            playwright.expect(page.locator("#offline")).to_contain_text("works offline")
        for path in ("", "index.html"):  # the host is gone
            page.goto(address + path)
            ready(page)
            drop(page, encoded(astronaut))
            status(page, "One face: happy")
        assert page.troubles == []


def test_a_host_without_the_model_is_reported(film, astronaut, tmp_path):
    with hosted(tmp_path) as address, browser_page(tmp_path / "profile", film) as page:
        (tmp_path / "host" / "people" / "faces" / "model.tflite").unlink()
        page.goto(address)
        status(page, "The model could not be loaded")
        drop(page, encoded(astronaut))
        status(page, "The model could not be loaded")
        look(page, "no-model")


def test_the_policy_forbids_every_other_host(page, address):
    policy = page.locator("meta[http-equiv]").get_attribute("content")
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "*" not in policy
    blocked = page.evaluate(
        "fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.name)"
    )
    assert blocked == "TypeError"
    assert [text for text in page.troubles if "Content Security Policy" in text]
    page.troubles.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_is_readable(scheme, address, astronaut, tmp_path):
    with browser_page(tmp_path / "profile", **PHONE, color_scheme=scheme) as page:
        page.goto(address)
        drop(page, encoded(astronaut))
        status(page, "One face")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for button in page.locator(".button:visible").all():
            assert button.bounding_box()["height"] >= 44
        names = ("h1", ".lede", ".small", ".status", ".how", ".button.main", ".meaning p")
        for name in names:
            assert contrast(page, name) >= 4.5, name
        look(page, f"phone-{scheme}", full_page=True)
        assert page.troubles == []
