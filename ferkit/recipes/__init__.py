"""Recipes: validated hyperparameters, by name or from a file."""
