"""Trains several contestants by one recipe and compares accuracy and cost."""
