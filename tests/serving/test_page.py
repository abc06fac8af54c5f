"""The page of serve in a real browser.

Debian's chromium, without a screen. The photo is NASA's, in the public domain.
"""

import os

import numpy as np
import pytest
from PIL import Image

from ferkit.recognition.recognizer import Recognizer
from ferkit.serving.limits import Limits
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
from tests.support.serving_client import encoded, served

data = pytest.importorskip(
    "skimage.data", reason="scikit-image, whose photo is shown, is not installed"
)

pytestmark = [
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


@pytest.fixture(scope="module")
def astronaut():
    return data.astronaut()


@pytest.fixture(scope="module")
def address():
    weights = os.environ.get("SERVED_WEIGHTS", "deep_emotion_paper-fer2013")
    with served(Recognizer(weights), Limits(batch=4), warm_up=("predict", "explain")) as (port, _):
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def film(astronaut, tmp_path_factory):
    """A camera film: the astronaut, moving."""
    path = tmp_path_factory.mktemp("film") / "camera.mjpeg"
    camera_film(path, astronaut)
    return path


@pytest.fixture
def page(address, film, tmp_path):
    with browser_page(tmp_path / "profile", film) as page:
        page.goto(address)
        playwright.expect(page.locator("#measured")).to_contain_text("out of 100")
        yield page
        assert page.troubles == []


def test_a_dropped_photo_has_a_box_bars_and_on_demand_a_map(page, astronaut):
    look(page, "empty", full_page=True)
    drop(page, encoded(astronaut))
    status(page, r"One face: .*\d %\.")
    assert page.locator(".box").count() == 1
    box, picture = page.locator(".box").bounding_box(), page.locator("#canvas").bounding_box()
    assert 0.3 < (box["x"] - picture["x"]) / picture["width"] < 0.4  # the face is where it is
    bars = page.locator(".bars li")
    assert bars.count() == 7
    assert "happy" in page.locator(".bars .first").inner_text()
    look(page, "photo")
    page.locator("#why").check()
    page.wait_for_selector(".map")
    face, heat = page.locator(".box").bounding_box(), page.locator(".map").bounding_box()
    assert heat["x"] < face["x"] + face["width"] / 2 < heat["x"] + heat["width"]
    assert page.locator("#legend").is_visible()
    look(page, "why")
    page.locator("#why").uncheck()
    page.wait_for_selector(".map", state="detached")


def test_everything_works_by_keyboard(page, astronaut, tmp_path):
    (tmp_path / "photo.png").write_bytes(encoded(astronaut, "PNG"))
    page.keyboard.press("Tab")  # the link that skips
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
    look(page, "focus")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(tmp_path / "photo.png")
    status(page, "One face")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "camera"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.wait_for_selector(".map")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert page.locator(".box.chosen").count() == 1
    page.keyboard.press("Enter")
    assert not page.locator(".bars").is_visible()


def test_what_a_screen_reader_is_told(page, astronaut):
    playwright.expect(page.get_by_role("button", name="Choose a photo")).to_be_attached()
    playwright.expect(page.get_by_role("switch", name="Show why")).to_be_attached()
    playwright.expect(page.get_by_role("heading", level=1)).to_have_count(1)
    playwright.expect(page.get_by_role("status")).to_have_text("No photo yet.")
    drop(page, encoded(astronaut))
    status(page, "One face")
    playwright.expect(page.get_by_role("img", name="Your photo. One face")).to_be_attached()


def test_a_pasted_photo_is_looked_at(page, astronaut):
    drop(page, encoded(astronaut), event="paste")
    status(page, "One face")


def test_what_it_does_not_know_is_said(page):
    drop(page, encoded(np.full((300, 400, 3), 90)))
    status(page, "No face found")
    look(page, "no-face")
    page.get_by_role("button", name="Use the complete photo as one face").click()
    status(page, "The complete photo as one face: ")
    drop(page, b"no photo at all")
    status(page, "Not possible: not a photo in a supported format")
    look(page, "no-photo")
    page.troubles.clear()  # chromium reports the 415


def test_small_and_unclear_faces_have_their_doubts_told(page, astronaut):
    small = np.array(Image.fromarray(astronaut).resize((150, 150)))
    drop(page, encoded(small))
    status(page, "One face")
    assert "pixels high" in page.locator(".doubt").inner_text()
    look(page, "doubt")


def test_many_faces_are_numbered(page, astronaut):
    face = astronaut[:300, 80:380]
    drop(page, encoded(np.concatenate([np.concatenate([face] * 3, axis=1)] * 2)))
    status(page, r"^6 faces\.")
    assert page.locator(".face[open]").count() == 0
    look(page, "many", full_page=True)


def test_photos_above_the_limit_are_made_smaller_first(page):
    noise = np.random.default_rng(0).integers(0, 256, (2100, 2100, 3))
    photo = encoded(noise, "PNG")
    assert len(photo) > 10_000_000
    drop(page, photo, "image/png")
    status(page, "No face found")


def test_the_camera_runs_live_and_its_last_picture_stays(page):
    page.get_by_role("button", name="Use the camera").click()
    page.wait_for_selector(".box")
    status(page, "One face")
    assert page.locator("#video").is_visible()
    # Not wait_for_function: the page's policy forbids to evaluate strings.
    first = page.locator(".box").get_attribute("style")
    playwright.expect(page.locator(".box")).not_to_have_attribute("style", first, timeout=30_000)
    page.locator("#why").check()
    page.wait_for_selector(".map")
    look(page, "camera")
    page.get_by_role("button", name="Stop the camera").click()
    page.locator("#why").uncheck()
    page.wait_for_selector(".map", state="detached")
    status(page, "One face")
    assert page.locator("#canvas").is_visible()
    assert not page.locator("#video").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_is_readable(scheme, address, astronaut, tmp_path):
    with browser_page(tmp_path / "profile", **PHONE, color_scheme=scheme) as page:
        page.goto(address)
        drop(page, encoded(astronaut))
        status(page, "One face")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for button in page.locator(".button:visible").all():
            assert button.bounding_box()["height"] >= 44
        for name in (
            "h1",
            ".lede",
            ".small",
            ".status",
            ".how",
            ".note:not(.doubt)",
            ".button.main",
            ".meaning p",
        ):
            assert contrast(page, name) >= 4.5, name
        look(page, f"phone-{scheme}")
        page.goto(address + "docs")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        look(page, f"phone-docs-{scheme}")
        assert page.troubles == []
