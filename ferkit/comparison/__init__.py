"""Trains several contestants by one recipe, and compares their accuracy and cost."""
