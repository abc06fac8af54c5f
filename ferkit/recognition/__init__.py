"""Recognition: photos, face detectors, alignment and the recognizer. It needs no TensorFlow."""

from ferkit.recognition.alignment import TRAINING_LANDMARKS, crop_matrix, cut_face
from ferkit.recognition.detectors import (
    DETECTORS,
    DetectorName,
    make_detector,
    register_detector,
)
from ferkit.recognition.faces import Detector, Face

__all__ = [
    "DETECTORS",
    "TRAINING_LANDMARKS",
    "Detector",
    "DetectorName",
    "Face",
    "crop_matrix",
    "cut_face",
    "make_detector",
    "register_detector",
]
