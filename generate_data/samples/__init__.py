"""Drawn sample faces."""
