"""Accuracy, calibration and confusion of a model on a split."""
