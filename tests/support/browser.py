"""Debian's chromium, without a screen, for the tests of the pages."""

import base64
import contextlib
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.serving_client import encoded

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install playwright"
)
CHROMIUM = shutil.which("chromium")
NEEDS_CHROMIUM = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium: apt-get install chromium"
)
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --use-fake-device-for-media-stream --use-fake-ui-for-media-stream"
)
KEEP = os.environ.get("SCREENSHOTS")  # a folder to look at what was tested
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
}  # options of a browser page


@contextlib.contextmanager
def browser_page(profile, film=None, **options):
    flags = FLAGS.split(" ") + ([f"--use-file-for-fake-video-capture={film}"] if film else [])
    options = {"viewport": {"width": 1280, "height": 900}, **options}
    with playwright.sync_playwright() as player:
        context = player.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, headless=True, args=flags, **options
        )
        page = context.new_page()
        page.troubles = []
        page.on(
            "console", lambda one: page.troubles.append(one.text) if one.type == "error" else None
        )
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on("request", lambda one: page.troubles.append(one.url) if not own(one.url) else None)
        yield page
        context.close()


def camera_film(path, astronaut):
    """Write a camera film of 640 x 480 pixels, the astronaut moving; returns its frames."""
    wide = np.pad(np.asarray(astronaut), ((0, 0), (64, 64), (0, 0)), mode="edge")[:480]
    frames = [np.roll(wide, shift, axis=1) for shift in (*range(0, 24, 2), *range(24, 0, -2))]
    path.write_bytes(b"".join(encoded(frame) for frame in frames))
    return frames


def own(url):
    return url.startswith(("http://127.0.0.1:", "data:", "blob:"))


def look(page, name, **options):
    if KEEP:
        page.wait_for_timeout(500)
        page.screenshot(path=Path(KEEP) / f"{name}.png", **options)


def drop(page, content, kind="image/jpeg", event="drop"):
    """Drop or paste a file, as the browser tells the page of it."""
    page.evaluate(
        """([content, kind, event]) => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0)), files = new DataTransfer();
            files.items.add(new File([bytes], "photo", { type: kind }));
            const options = { bubbles: true, cancelable: true };
            if (event === "paste") document.dispatchEvent(new ClipboardEvent(event, { ...options, clipboardData: files }));
            else for (const one of ["dragenter", "dragover", "drop"]) {
                document.getElementById("stage").dispatchEvent(new DragEvent(one, { ...options, dataTransfer: files }));
            }
        }""",
        [base64.b64encode(content).decode("ascii"), kind, event],
    )


def status(page, pattern):
    playwright.expect(page.locator("#status")).to_have_text(re.compile(pattern), timeout=30_000)


def contrast(page, name):
    """Of a text with what lies behind it (WCAG 2)."""
    colours = page.locator(name).first.evaluate(
        """(one) => {
            let behind = one;
            while (behind && getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
            return [getComputedStyle(one).color, getComputedStyle(behind).backgroundColor];
        }"""
    )
    first, second = sorted(
        _luminance([float(part) for part in re.findall(r"[\d.]+", one)][:3]) for one in colours
    )
    return (second + 0.05) / (first + 0.05)


def _luminance(colour):
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (part / 255 for part in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
