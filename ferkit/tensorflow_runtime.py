"""TensorFlow without its start-up chatter, and with the thread settings that suit it."""

import contextlib
import os
import sys
import tempfile


def import_tensorflow(one_operator_at_a_time=True):
    """Import TensorFlow once, its native log lines swallowed (shown if the import fails), and set up its threads.

    On a single CPU, operators run one after another, each on all cores: two convolutions side by side fight over the cores, which
    made a training step of Deep-Emotion a tenth slower (benchmarks/training_speed.py).
    Several devices wait for one another and need threads of their own.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with native_stderr_hidden():
        import tensorflow as tf

        has_gpu = bool(tf.config.list_physical_devices("GPU"))  # looks for CUDA, and complains
    tf.get_logger().setLevel("ERROR")
    if one_operator_at_a_time and not has_gpu:
        tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf


@contextlib.contextmanager
def native_stderr_hidden(shown_on_failure=True):
    """Within, what is written to standard error is held back, by native code too; it is shown only if the block fails."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        except BaseException:
            if shown_on_failure:
                chatter.seek(0)
                os.write(saved, chatter.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def available_cpu_count() -> int:
    """How many cores this process may use: what a runtime should have threads for."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
