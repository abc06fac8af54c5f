"""Many photos: lazily, in order, in a few threads that end with the iteration."""

import inspect
import io
import itertools
import threading
import time

import numpy as np
import pytest
from PIL import Image

from ferkit.errors import UserError
from ferkit.recognition import Face
from ferkit.recognition.photos import PhotoError
from ferkit.recognition.pipeline import READ_AHEAD, in_order
from ferkit.recognition.recognizer import Recognizer
from tests.support.fake_runtime import FakeRuntime

PHOTO = np.full((20, 30, 3), 90, np.uint8)


class OneThread:
    """A detector that fails when two threads use it at the same time."""

    name = "one thread"

    def __init__(self, *_):
        self.lock = threading.Lock()

    def __call__(self, photo):
        assert self.lock.acquire(blocking=False)
        time.sleep(0.002)
        self.lock.release()
        return [Face((0.0, 0.0, 20.0, 20.0), float(photo[0, 0, 0]) / 255)]


@pytest.fixture
def recognizer(monkeypatch):
    monkeypatch.setattr("ferkit.recognition.recognizer.load_runtime", lambda *_: FakeRuntime())
    monkeypatch.setattr("ferkit.recognition.recognizer.model_file", lambda name: name)
    monkeypatch.setattr("ferkit.recognition.recognizer.make_detector", OneThread)
    return Recognizer("any")


def gray(value):
    return np.full((20, 30, 3), value, np.uint8)


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("ferkit")]


def test_results_keep_the_order_whatever_takes_longest():
    def work(number):
        time.sleep(0.01 if number % 3 == 0 else 0)
        return number

    assert list(in_order(work, range(40), threads=4)) == list(range(40))
    assert list(in_order(work, [], threads=4)) == []
    assert not threads()


def test_an_infinite_iterable_is_read_a_few_items_ahead():
    taken = []
    items = (taken.append(number) or number for number in itertools.count())
    results = in_order(lambda number: number, items, threads=2)
    for number in range(50):
        assert next(results) == number
        assert taken[-1] - number <= 2 + READ_AHEAD
    results.close()
    assert not threads()


@pytest.mark.parametrize("failing", ["work", "items"])
def test_an_exception_comes_after_the_results_before_it(failing):
    def items():
        yield from range(5)
        if failing == "items":
            raise KeyError("five")
        yield -1

    def work(number):
        if number < 0:
            raise KeyError("five")
        time.sleep(0.01)
        return number

    results = in_order(work, items(), threads=3)
    assert [next(results) for _ in range(5)] == list(range(5))
    with pytest.raises(KeyError, match="five"):
        next(results)
    assert not threads()


def test_an_interruption_does_not_wait_for_the_threads():
    release, finished = threading.Event(), []

    def items():
        yield 1
        raise KeyboardInterrupt

    def work(_):
        release.wait(20)
        finished.append(True)

    with pytest.raises(KeyboardInterrupt):
        next(in_order(work, items(), threads=2))
    assert not finished
    release.set()


def test_many_photos_are_predicted_like_single_ones(recognizer):
    photos = [gray(value) for value in range(0, 250, 5)]
    results = recognizer.predict_many(photos)
    assert inspect.isgenerator(results)
    for photo, found in zip(photos, results, strict=True):
        (alone,) = recognizer.predict(photo)
        assert (found[0].score, found[0].probabilities) == (alone.score, alone.probabilities)
    assert not threads()


def test_photos_without_end(recognizer):
    values = itertools.cycle(range(256))
    results = recognizer.predict_many(gray(value) for value in values)
    assert [round(next(results)[0].score * 255) for _ in range(30)] == list(range(30))
    results.close()
    assert not threads()


def test_sources_may_be_reused_or_closed_after_each_photo(recognizer, tmp_path):
    def reused():
        buffer = np.empty((20, 30, 3), np.uint8)
        for value in range(20):
            buffer[:] = value
            yield buffer

    scores = [found[0].score for found in recognizer.predict_many(reused())]
    assert [round(score * 255) for score in scores] == list(range(20))

    def closed():
        for value in range(10):
            path = tmp_path / f"{value}.png"
            Image.fromarray(gray(value)).save(path)
            with open(path, "rb") as file:
                yield file
            with Image.open(path) as image:
                yield image

    results = list(recognizer.predict_many(closed()))
    assert [round(found[0].score * 255) for found in results] == [v // 2 for v in range(20)]
    assert results[2].source == str(tmp_path / "1.png")


def test_an_unreadable_photo_is_raised_or_returned_at_its_position(recognizer):
    photos = [PHOTO, b"nothing", PHOTO, io.StringIO("text"), PHOTO]
    results = recognizer.predict_many(photos)
    assert len(next(results)) == 1
    with pytest.raises(PhotoError, match="the bytes given: not a photo"):
        next(results)
    assert list(results) == []
    kinds = [type(r).__name__ for r in recognizer.predict_many(photos, on_error="return")]
    assert kinds == ["Faces", "NoPhotoError", "Faces", "PhotoError", "Faces"]


@pytest.mark.parametrize(
    ("photos", "options", "message"),
    [
        ("photo.jpg", {}, "received one str; give a list of photos, or call predict"),
        (b"bytes", {}, "received one bytes"),
        (io.BytesIO(), {}, "received one BytesIO"),
        (PHOTO, {}, "received one ndarray"),
        (PHOTO[:, :, 0], {}, "received one ndarray"),
        (Image.new("RGB", (5, 5)), {}, "received one Image"),
        (None, {}, "received one NoneType"),
        ([PHOTO], {"on_error": "ignore"}, "on_error='ignore': unknown; choose from raise, return"),
    ],
)
def test_wrong_arguments_are_one_line_at_the_call(photos, options, message, recognizer):
    with pytest.raises(UserError, match=message):
        recognizer.predict_many(photos, **options)


def test_a_stack_of_photos_is_several(recognizer):
    assert len(list(recognizer.predict_many(np.stack([PHOTO] * 3)))) == 3
    assert len(list(recognizer.predict_many(np.stack([PHOTO[:, :, 0]] * 3)))) == 3


def test_bgr_arrays_are_turned(recognizer):
    frame = np.zeros((20, 30, 3), np.uint8)
    frame[:, :, 0] = 255  # blue
    assert recognizer.predict(frame, bgr=True)[0].score == 0
    assert next(recognizer.predict_many([frame], bgr=True))[0].score == 0
    assert recognizer.predict(frame)[0].score == 1


def test_several_threads_may_use_one_recognizer(recognizer):
    failures = []

    def use():
        try:
            for _ in range(20):
                recognizer.predict(PHOTO)
        except AssertionError as error:
            failures.append(error)

    users = [threading.Thread(target=use) for _ in range(4)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert not failures
