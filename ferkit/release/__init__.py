"""A trained model as one small, calibrated file with its model card."""
