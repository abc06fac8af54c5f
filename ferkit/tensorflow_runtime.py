"""Imports TensorFlow without its start-up messages, and with suitable thread settings."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any


def import_tensorflow(one_operator_at_a_time: bool = True) -> Any:
    """Import TensorFlow once and set up its threads; its native messages appear only on failure.

    On one CPU, operators run one after another, each on all cores: concurrent convolutions compete
    for the cores, which makes a training step of Deep-Emotion a tenth slower
    (benchmarks/training_speed.py). Several devices wait for one another and need their own threads.

    Call this before any other import of TensorFlow or Keras.
    """
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


@contextlib.contextmanager
def native_stderr_hidden(shown_on_failure: bool = True) -> Iterator[None]:
    """In this context, standard error is hidden, also of native code; shown if the block fails."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            if shown_on_failure:
                hidden.seek(0)
                os.write(saved, hidden.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def available_cpu_count() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
