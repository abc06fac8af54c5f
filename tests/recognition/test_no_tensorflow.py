"""Recognition needs no TensorFlow: it works in a process that cannot import TensorFlow."""

import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras"):
            raise ImportError(f"{name} must not be imported")

sys.meta_path.insert(0, Refuse())
import numpy as np
import ferkit.recognition as recognition

for module in pkgutil.iter_modules(recognition.__path__):
    importlib.import_module(f"ferkit.recognition.{module.name}")
from ferkit.recognition.photos import read_photo

photo = read_photo(np.full((200, 200, 3), 127, np.uint8))
(face,) = recognition.make_detector("none")(photo)
print(recognition.cut_face(photo, face, 48).shape, recognition.make_detector("yunet")(photo))
"""


def test_faces_are_detected_and_cropped_without_tensorflow():
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert result.stdout == "(48, 48, 3) []\n", result.stderr
