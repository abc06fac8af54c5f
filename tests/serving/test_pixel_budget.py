"""Photos that are decoded at the same time have a bounded number of pixels."""

import asyncio
import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from ferkit import PhotoError, Recognizer, read_photo
from ferkit.recognition import make_detector
from ferkit.serving import service as services
from ferkit.serving.limits import Limits
from ferkit.serving.pixel_budget import PixelBudget
from ferkit.serving.prometheus import Metrics


def encoded(photo, kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, format=kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("sizes", [[40] * 12, [100, 1, 30, 60, 99, 2] * 4, [500, 70, 500, 20]])
def test_photos_in_memory_never_exceed_the_budget(sizes):
    budget, lock, held, most = PixelBudget(100), threading.Lock(), [], []

    def decode(pixels):
        with budget.held(pixels):
            with lock:
                held.append(pixels)
                most.append(sum(min(size, 100) for size in held))
            with lock:
                held.remove(pixels)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(decode, sizes))
    assert len(most) == len(sizes)
    assert max(most) <= 100


def test_a_failure_frees_its_pixels():
    budget = PixelBudget(10)
    for _ in range(3):
        with pytest.raises(ValueError, match="damaged"), budget.held(10):
            raise ValueError("damaged")
    with budget.held(10):
        pass


def test_a_large_photo_is_next_although_small_ones_come_after_it():
    budget, order = PixelBudget(100), []
    entered = threading.Event()

    def large():
        entered.set()
        with budget.held(100):
            order.append("large")

    def small():
        with budget.held(1):
            order.append("small")

    with budget.held(50):
        first = threading.Thread(target=large)
        first.start()
        entered.wait()
        while not budget._first_in_line.locked():
            pass
        second = threading.Thread(target=small)
        second.start()
    first.join()
    second.join()
    assert order == ["large", "small"]


@pytest.mark.parametrize(("pixels_in_flight", "at_once"), [(15_000, 1), (25_000, 2)])
def test_the_server_decodes_only_as_many_photos_at_once(pixels_in_flight, at_once, monkeypatch):
    current, most, lock, second = [], [], threading.Lock(), threading.Event()

    def read(content, *limits):
        with lock:
            current.append(content)
            most.append(len(current))
            if len(current) == 2:
                second.set()
        second.wait(0.2 if at_once == 1 else 60)  # for another photo to be decoded as well
        with lock:
            current.remove(content)
        return read_photo(content, *limits)

    monkeypatch.setattr(services, "read_photo", read)
    recognizer = Recognizer("deep_emotion_paper-fer2013", detector="none")
    limits = Limits(readers=4, pixels_in_flight=pixels_in_flight)
    service = services.Service(recognizer, limits, Metrics(), make_detector)
    photo = encoded(np.full((100, 100, 3), 127, np.uint8), "PNG")

    async def answers():
        tasks = (services.Task(photo, "predict", "none") for _ in range(5))
        return await asyncio.gather(*map(service.answer, tasks))

    assert [len(answer["faces"]) for answer in asyncio.run(answers())] == [1] * 5
    service.close()
    assert max(most) == at_once


def test_no_photo_of_a_client_writes_to_standard_error(capfd):
    """TIFF is not accepted, because its decoder reports what it does not understand."""
    generator = np.random.default_rng(0)
    photo = generator.integers(0, 256, (40, 60, 3), np.uint8)
    refused = 0
    for kind in (*services.FORMATS, "TIFF"):
        content = encoded(photo, kind, **({"compression": "tiff_lzw"} if kind == "TIFF" else {}))
        for _ in range(150):
            changed = bytearray(content)
            for place in generator.integers(len(content), size=3):
                changed[place] = generator.integers(256)
            try:
                read_photo(bytes(changed), 1_000_000, services.FORMATS)
            except PhotoError:
                refused += 1
    assert refused > 150
    assert capfd.readouterr().err == ""
