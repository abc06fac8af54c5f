"""Imports TensorFlow without its start-up messages, and with suitable thread settings."""

import os
import sys
from typing import Any

from ferkit.errors import UserError
from ferkit.process import native_stderr_hidden


def import_tensorflow(one_operator_at_a_time: bool = True) -> Any:
    """Import TensorFlow once and set up its threads; its native messages appear only on failure.

    On one CPU, operators run one after another, each on all cores: concurrent convolutions compete
    for the cores, which makes a training step of Deep-Emotion a tenth slower
    (benchmarks/training_speed.py). Several devices wait for one another and need their own threads.

    Call this before any other import of TensorFlow or Keras.

    Raises:
        UserError: KERAS_BACKEND names another backend.
    """
    check_backend()
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with native_stderr_hidden():
        import tensorflow as tf  # late: the settings above must come first

        has_gpu = bool(tf.config.list_physical_devices("GPU"))  # prints messages about CUDA
    tf.get_logger().setLevel("ERROR")
    if one_operator_at_a_time and not has_gpu:
        tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf


def check_backend() -> None:
    """Raise UserError if KERAS_BACKEND names another backend than TensorFlow."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise UserError(
            f"KERAS_BACKEND={backend}",
            "the trainer is TensorFlow's, as is every command that computes with a Keras model",
            "unset it; your own code can use any backend: keras.models.load_model",
        )
