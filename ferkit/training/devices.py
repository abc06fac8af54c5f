"""What a training runs on: one device, several of one machine, or several machines, behind one interface (tf.distribute)."""

import json
import os
import re

import numpy as np

from ferkit.errors import UserError
from ferkit.input_pipeline.sharding import share_of
from ferkit.tensorflow_runtime import import_tensorflow

_EXAMPLE = """TF_CONFIG='{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", "index": 0}}'"""


class Devices:
    """The replicas that compute a step together, and what this process is among them.

    Args:
        strategy: a ``tf.distribute.Strategy``.
        worker, workers: this process's number, from 0, and how many there are.
        addresses: of the workers, for messages.

    Attributes:
        replicas: over all workers.
        local_replicas: of this process.
        chief: whether this process writes the run folder.
    """

    def __init__(self, strategy, worker=0, workers=1, addresses=()):
        import tensorflow as tf

        self.strategy, self.worker, self.workers, self.addresses = (
            strategy,
            worker,
            workers,
            tuple(addresses),
        )
        self.replicas = strategy.num_replicas_in_sync
        self.local_replicas = self.replicas // workers
        self.chief = worker == 0
        signature = [tf.TensorSpec((None,), tf.float64)]
        self._sum = tf.function(
            lambda values: strategy.run(self._sum_on_a_replica, args=(values,)),
            input_signature=signature,
        )

    @property
    def scope(self):
        return self.strategy.scope

    def local_replica(self):
        """Within ``strategy.run``: the replica's number on this worker, from 0."""
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        number = tf.get_static_value(context.replica_id_in_sync_group)
        return int(number) - self.worker * self.local_replicas if self.replicas > 1 else 0

    def _sum_on_a_replica(self, values):
        import tensorflow as tf

        own = (
            tf.identity(values) if self.local_replica() == 0 else tf.zeros_like(values)
        )  # placed on this device
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, own)

    def all_reduce_sum(self, array: np.ndarray) -> np.ndarray:
        """The float64 sum of every worker's array; all must call it, with the same shape."""
        array = np.asarray(array, np.float64)
        if self.workers == 1:
            return array
        total = self._sum(array.ravel())
        return self.strategy.experimental_local_results(total)[0].numpy().reshape(array.shape)

    def broadcast(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """The chief's arrays on every worker, which must have arrays of the same shapes."""
        if self.workers == 1:
            return values
        flat = np.concatenate(
            [np.asarray(value, np.float64).ravel() for value in values] or [np.zeros(0)]
        )
        flat = self.all_reduce_sum(flat if self.chief else np.zeros_like(flat))
        ends = np.cumsum([np.size(value) for value in values])[:-1]
        parts = np.split(flat, ends)
        return [
            part.reshape(np.shape(value)).astype(value.dtype)
            for part, value in zip(parts, values, strict=True)
        ]

    def broadcast_text(self, text: str) -> str:
        """The chief's text on every worker."""
        if self.workers == 1:
            return text
        own = np.frombuffer(text.encode(), np.uint8)
        length = int(self.all_reduce_sum(np.array([len(own) if self.chief else 0]))[0])
        padded = own if self.chief else np.zeros(length)
        return bytes(self.all_reduce_sum(padded).astype(np.uint8)).decode()

    def share(self, rows: int) -> slice:
        """This worker's part of so many rows."""
        return slice(*share_of(rows, self.worker, self.workers))


def one_device() -> Devices:
    """The device that TensorFlow takes by itself."""
    import tensorflow as tf

    return Devices(tf.distribute.get_strategy())


def open_devices(strategy: str = "one", count: int | None = None) -> Devices:
    """The devices that the command line asks for. Imports TensorFlow, which must not have been started before.

    Args:
        strategy: "one", "mirrored" or "multiworker".
        count: "mirrored": how many devices; None: all GPUs, or one CPU. Without GPUs the processor is divided into so many
            logical devices, which is slower than one and good for a rehearsal.

    Raises:
        UserError: too many devices, or TF_CONFIG missing or malformed.
    """
    if strategy != "mirrored" and count is not None:
        raise UserError(
            f"--devices {count}: goes with --strategy mirrored only; add that, or drop --devices."
        )
    if strategy == "one":
        import_tensorflow()
        return one_device()
    cluster = read_cluster(os.environ.get("TF_CONFIG")) if strategy == "multiworker" else None
    if cluster:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a lost worker is told in our words
    tf = import_tensorflow(one_operator_at_a_time=False)
    if cluster:
        return _multiworker(tf, *cluster)
    return Devices(tf.distribute.MirroredStrategy(_local_devices(tf, count)))


def _local_devices(tf, count):
    gpus = tf.config.list_physical_devices("GPU")
    if count is not None and count < 1:
        raise UserError(f"--devices {count}: out of range; give a number at least 1.")
    if gpus:
        if count and count > len(gpus):
            raise UserError(
                f"--devices {count}: this machine has {len(gpus)} GPUs; give at most that."
            )
        return [f"GPU:{number}" for number in range(count or len(gpus))]
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        processor, [tf.config.LogicalDeviceConfiguration()] * (count or 1)
    )
    return [f"CPU:{number}" for number in range(count or 1)]


def _multiworker(tf, addresses, worker):
    others = [address for number, address in enumerate(addresses) if number != worker]
    print(
        f"Worker {worker} of {len(addresses)}, {addresses[worker]}; waiting for {', '.join(others) or 'nobody'} ...",
        flush=True,
    )
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UserError(
            f"TF_CONFIG: the cluster of {', '.join(addresses)} did not come together ({reason}); check that every worker runs, "
            f"that they reach one another, and that nothing else listens on port {addresses[worker].rsplit(':', 1)[-1]}."
        ) from error
    return Devices(strategy, worker, len(addresses), addresses)


def read_cluster(text: str | None) -> tuple[list[str], int]:
    """The workers' addresses and this one's number, from the text of TF_CONFIG.

    Raises:
        UserError: missing or malformed; says what is expected.
    """
    if not text:
        raise UserError(
            f"TF_CONFIG: not set, and --strategy multiworker needs it on every machine: {_EXAMPLE}"
        )
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        addresses = [*cluster.get("chief", []), *cluster["worker"]]
        kind, index = task["type"], task["index"]
        number = index + (len(cluster.get("chief", [])) if kind == "worker" else 0)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else f"cannot be read ({error})"
        raise UserError(
            f"TF_CONFIG: {what}; received {text[:100]!r}, expected for example {_EXAMPLE}"
        ) from error
    if kind not in ("worker", "chief") or set(cluster) - {"worker", "chief"}:
        raise UserError(
            f"TF_CONFIG: only workers (and a chief) train here; received task type {kind!r} in {sorted(cluster)}."
        )
    for address in addresses:
        if not isinstance(address, str) or not re.fullmatch(r".+:\d+", address):
            raise UserError(
                f"TF_CONFIG: {address!r} is no address; expected host:port, for example host1:12345."
            )
    if len(set(addresses)) < len(addresses):
        raise UserError(
            f"TF_CONFIG: an address is given twice in {', '.join(addresses)}; every worker needs its own."
        )
    own = cluster.get(kind, [])
    if not isinstance(index, int) or not 0 <= index < len(own):
        raise UserError(
            f"TF_CONFIG: task index {index!r}, and there are {len(own)} of type {kind}; give 0 to {len(own) - 1}."
        )
    return addresses, number
