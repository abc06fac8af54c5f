"""DAN (arXiv 2109.07270) for Keras 3: its place. Not built yet."""
