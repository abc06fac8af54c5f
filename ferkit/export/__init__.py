"""A model as a file for another runtime: written, read back there, compared with Keras, and kept only if it agrees."""
