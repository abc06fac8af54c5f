"""Faces in photos: detectors behind one interface, and how a found face is cut out and aligned."""

from ferkit.recognition.alignment import TRAINING_LANDMARKS, crop_matrix, cut_face
from ferkit.recognition.detectors import DETECTORS, DetectorName, Face, make_detector

__all__ = [
    "DETECTORS",
    "DetectorName",
    "TRAINING_LANDMARKS",
    "Face",
    "crop_matrix",
    "cut_face",
    "make_detector",
]
