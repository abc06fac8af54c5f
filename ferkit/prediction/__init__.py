"""Predictions for photos, folders, videos and cameras."""
