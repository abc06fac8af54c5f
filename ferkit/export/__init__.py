"""A model as a file for another runtime.

Written, read back there, compared with Keras, and kept only if it agrees.
"""
