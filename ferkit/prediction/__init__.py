"""Predictions for photos, folders, videos and cameras, as rows, annotated pictures and plots."""
