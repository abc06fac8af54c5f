"""Image files of a dataset."""
