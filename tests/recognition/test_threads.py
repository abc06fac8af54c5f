"""One recognizer in several threads and in forked processes."""

import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from ferkit import Recognizer
from ferkit.errors import UserError, check_not_forked
from ferkit.recognition import Face, register_detector
from ferkit.recognition.yunet import MODEL
from tests.support.group_photos import ASTRONAUT, astronaut


class BusyOnce:
    """A plug-in that fails when two threads use it at the same time."""

    def __init__(self, _):
        self._lock = threading.Lock()

    def __call__(self, photo):
        assert self._lock.acquire(blocking=False)
        side = float(photo[::7, ::7].std() > 0) * len(photo) / 2  # some work
        self._lock.release()
        return [Face((0.0, 0.0, side, side), 0.9)]


register_detector("busy once", BusyOnce)


@pytest.mark.parametrize(
    "options", [{}, {"detector_model": MODEL}, {"detector": "busy once"}, {"detector": "none"}]
)
def test_threads_get_the_faces_of_one_thread(options):
    recognizer = Recognizer(**options)
    sides = (200, 300, 400, 500)
    photos = [cv2.resize(astronaut(), (side, side)) for side in sides] * 4
    expected = [[(face.box, face.label) for face in recognizer.predict(p)] for p in photos]
    with ThreadPoolExecutor(4) as pool:
        for faces, others in zip(pool.map(recognizer.predict, photos), expected, strict=True):
            assert len(faces) == len(others) == 1
            np.testing.assert_allclose(faces[0].box, others[0][0], atol=0.01)
            assert faces[0].label == others[0][1]


FORKED = f"""
import multiprocessing
from ferkit import Recognizer
from ferkit.errors import UserError

recognizer = Recognizer(runtime=RUNTIME)
recognizer.predict({str(ASTRONAUT)!r})

def predict(answers):
    try:
        answers.put([face.label for face in recognizer.predict({str(ASTRONAUT)!r})])
    except UserError as error:
        answers.put(str(error))

context = multiprocessing.get_context("fork")
answers = context.Queue()
process = context.Process(target=predict, args=(answers,))
process.start()
print("forked:", answers.get(timeout=240))
process.join()
"""


def after_a_fork(runtime):
    program = f"RUNTIME = {runtime!r}\n{FORKED}"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300
    )
    return result.stdout.partition("forked: ")[2].strip() or result.stderr


is_forking = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system"
)


@is_forking
def test_litert_works_after_a_fork():
    assert after_a_fork("litert") == "['happy']"


@is_forking
@pytest.mark.slow
def test_keras_is_one_line_after_a_fork():
    answer = after_a_fork("keras")
    assert answer.startswith("runtime keras: cannot be used in a forked process; start processes ")
    assert 'multiprocessing.get_context("spawn")' in answer


def test_a_forked_process_is_one_line():
    check_not_forked(os.getpid(), "runtime keras")
    with pytest.raises(UserError, match=r"runtime keras: cannot be used in a forked process; sta"):
        check_not_forked(os.getpid() + 1, "runtime keras")
