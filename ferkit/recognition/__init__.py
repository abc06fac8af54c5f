"""Recognition: photos, face detectors, alignment and the recognizer. It needs no TensorFlow."""

from ferkit.recognition.alignment import TRAINING_LANDMARKS, crop_matrix, cut_face
from ferkit.recognition.detectors import DETECTORS, DetectorName, Face, make_detector

__all__ = [
    "DETECTORS",
    "TRAINING_LANDMARKS",
    "DetectorName",
    "Face",
    "crop_matrix",
    "cut_face",
    "make_detector",
]
