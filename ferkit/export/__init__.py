"""Writes a model for another runtime, runs it there, and keeps it only if it agrees with Keras."""
