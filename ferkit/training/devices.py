"""The devices of a training: one, several of one machine, or several machines (tf.distribute)."""

import json
import os
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ferkit.errors import UserError, first_line
from ferkit.input_pipeline.sharding import share_of
from ferkit.tensorflow_runtime import import_tensorflow

_EXAMPLE = (
    """TF_CONFIG='{"cluster": {"worker": ["host1:12345", "host2:12345"]}, """
    """"task": {"type": "worker", "index": 0}}'"""
)


class Devices:
    """The replicas that compute a step together, and the place of this process among them.

    Args:
        strategy: a ``tf.distribute.Strategy``.
        worker: index of this process.
        workers: number of processes.
        addresses: addresses of the workers, for messages.

    Attributes:
        replicas: number of replicas of all workers.
        local_replicas: number of replicas of this process.
        is_chief: whether this process writes the run folder.
    """

    def __init__(
        self, strategy: Any, worker: int = 0, workers: int = 1, addresses: Sequence[str] = ()
    ) -> None:
        tf = import_tensorflow()
        self.strategy, self.worker, self.workers, self.addresses = (
            strategy,
            worker,
            workers,
            tuple(addresses),
        )
        self.replicas = strategy.num_replicas_in_sync
        self.local_replicas = self.replicas // workers
        self.is_chief = worker == 0
        signature = [tf.TensorSpec((None,), tf.float64)]
        self._sum = tf.function(
            lambda values: strategy.run(self._sum_on_replica, args=(values,)),
            input_signature=signature,
        )

    @property
    def scope(self) -> Callable[[], Any]:
        """The context in which variables are created."""
        return self.strategy.scope

    def local_replica(self) -> int:
        """In ``strategy.run``: index of the replica on this worker."""
        tf = import_tensorflow()
        context = tf.distribute.get_replica_context()
        number = tf.get_static_value(context.replica_id_in_sync_group)
        return int(number) - self.worker * self.local_replicas if self.replicas > 1 else 0

    def _sum_on_replica(self, values: Any) -> Any:
        tf = import_tensorflow()
        # Placed on this device.
        part = tf.identity(values) if self.local_replica() == 0 else tf.zeros_like(values)
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, part)

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
        flat = self.all_reduce_sum(flat if self.is_chief else np.zeros_like(flat))
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
        encoded = np.frombuffer(text.encode(), np.uint8)
        length = int(self.all_reduce_sum(np.array([len(encoded) if self.is_chief else 0]))[0])
        padded = encoded if self.is_chief else np.zeros(length)
        return bytes(self.all_reduce_sum(padded).astype(np.uint8)).decode()

    def share(self, rows: int) -> slice:
        """This worker's part of `rows` rows."""
        return slice(*share_of(rows, self.worker, self.workers))


def one_device() -> Devices:
    """The device that TensorFlow chooses."""
    return Devices(import_tensorflow().distribute.get_strategy())


def open_devices(strategy: str = "one", count: int | None = None) -> Devices:
    """The devices of the command line. Imports TensorFlow, which must not have been used before.

    Args:
        strategy: "one", "mirrored" or "multiworker".
        count: number of devices for "mirrored"; None: all GPUs, or one CPU. Without GPUs, the
            processor is divided into logical devices, which is slower and useful for tests.

    Raises:
        UserError: too many devices, or TF_CONFIG missing or malformed.
    """
    if strategy != "mirrored" and count is not None:
        problem, advice = "requires --strategy mirrored", "add it, or remove --devices"
        raise UserError(f"--devices {count}", problem, advice)
    if strategy == "one":
        import_tensorflow()
        return one_device()
    cluster = read_cluster(os.environ.get("TF_CONFIG")) if strategy == "multiworker" else None
    if cluster:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a lost worker is reported in one line
    tf = import_tensorflow(one_operator_at_a_time=False)
    if cluster:
        return _multiworker(tf, *cluster)
    return Devices(tf.distribute.MirroredStrategy(_local_devices(tf, count)))


def _local_devices(tf: Any, count: int | None) -> list[str]:
    gpus = tf.config.list_physical_devices("GPU")
    if count is not None and count < 1:
        raise UserError(f"--devices {count}", "out of range", "give a number of at least 1")
    if gpus:
        if count and count > len(gpus):
            problem = f"this machine has {len(gpus)} GPUs"
            raise UserError(f"--devices {count}", problem, f"give at most {len(gpus)}")
        return [f"GPU:{number}" for number in range(count or len(gpus))]
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        processor, [tf.config.LogicalDeviceConfiguration()] * (count or 1)
    )
    return [f"CPU:{number}" for number in range(count or 1)]


def _multiworker(tf: Any, addresses: list[str], worker: int) -> Devices:
    others = [address for number, address in enumerate(addresses) if number != worker]
    print(
        f"Worker {worker} of {len(addresses)}, {addresses[worker]}; "
        f"waiting for {', '.join(others) or 'no others'} ...",
        flush=True,
    )
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        problem = f"the workers {', '.join(addresses)} could not connect ({first_line(error)})"
        port = addresses[worker].rsplit(":", 1)[-1]
        advice = f"check that all are running and reachable, and that port {port} is free"
        raise UserError("TF_CONFIG", problem, advice) from error
    return Devices(strategy, worker, len(addresses), addresses)


def read_cluster(text: str | None) -> tuple[list[str], int]:
    """The workers' addresses and the index of this worker, from the text of TF_CONFIG.

    Raises:
        UserError: TF_CONFIG is missing or malformed.
    """
    if not text:
        problem = "not set; --strategy multiworker requires it on every machine"
        raise UserError("TF_CONFIG", problem, f"for example {_EXAMPLE}")
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        addresses = [*cluster.get("chief", []), *cluster["worker"]]
        kind, index = task["type"], task["index"]
        number = index + (len(cluster.get("chief", [])) if kind == "worker" else 0)
    except Exception as error:  # any: it is a text of the user
        what = f"lacks {error}" if isinstance(error, KeyError) else f"cannot be read ({error})"
        problem = f"{what}; received {text[:100]!r}"
        raise UserError("TF_CONFIG", problem, f"expected for example {_EXAMPLE}") from error
    if kind not in ("worker", "chief") or set(cluster) - {"worker", "chief"}:
        problem = "only workers and a chief are supported"
        raise UserError("TF_CONFIG", f"{problem}; received task type {kind!r} in {sorted(cluster)}")
    for address in addresses:
        if not isinstance(address, str) or not re.fullmatch(r".+:\d+", address):
            advice = "expected host:port, for example host1:12345"
            raise UserError("TF_CONFIG", f"{address!r} is not an address", advice)
    if len(set(addresses)) < len(addresses):
        problem = f"an address appears twice in {', '.join(addresses)}"
        raise UserError("TF_CONFIG", problem, "give each worker its own address")
    of_kind = cluster.get(kind, [])
    if not isinstance(index, int) or not 0 <= index < len(of_kind):
        problem = f"task index {index!r} is out of range: there are {len(of_kind)} of type {kind}"
        raise UserError("TF_CONFIG", problem, f"give 0 to {len(of_kind) - 1}")
    return addresses, number
