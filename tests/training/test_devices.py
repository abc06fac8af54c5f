"""Several devices and several machines compute what one device computes, and say what is wrong with
them.
"""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ferkit.errors import UserError
from ferkit.training.devices import read_cluster

SUPPORT = Path(__file__).resolve().parents[1] / "support"
MAIN = Path(__file__).resolve().parents[2] / "main.py"


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def cluster(count):
    """The environment of each of `count` workers on this machine."""
    addresses = [f"localhost:{port}" for port in free_ports(count)]
    for index in range(count):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        yield {**os.environ, "TF_CONFIG": json.dumps(config)}


def start(words, environment=None):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *map(str, words)], env=environment, **pipes)


def step_losses(model, steps, strategies):
    """Of each strategy, what every step added to the totals, computed one process after another but
    for workers.
    """
    results = {}
    for strategy, count in strategies.items():
        environments = list(cluster(count)) if strategy == "multiworker" else [None]
        started = [
            start([SUPPORT / "step_losses.py", model, strategy, count, steps], one)
            for one in environments
        ]
        for index, process in enumerate(started):
            out, err = process.communicate(timeout=400)
            assert process.returncode == 0, err[-2000:]
            line = next(line for line in out.splitlines() if line.startswith("RESULT "))
            results[f"{strategy} {index}"] = np.array(
                json.loads(line.removeprefix("RESULT "))["steps"]
            )
    return results


def assert_equal_losses(results, steps):
    one = results.pop("one 0")
    assert one.shape[0] == steps
    assert set(one[:, 2]) == {16.0, 8.0}  # whole batches, and the smaller last one of an epoch
    mean = one[:, :1] / one[:, 2:3]
    assert (
        np.abs(mean - mean[0]).max() > 0.1
    )  # it moved a thousand times further than it may differ
    for name, several in results.items():
        columns = [0, *range(4, one.shape[1])]  # the loss, and each further term
        np.testing.assert_allclose(
            several[:, columns] / several[:, 2:3],
            one[:, columns] / one[:, 2:3],
            atol=1e-4,
            err_msg=name,
        )
        np.testing.assert_array_equal(several[:, 2:4], one[:, 2:4])


STRATEGIES = {"one": 1, "mirrored": 2, "multiworker": 2}


def test_two_devices_and_two_processes_give_deep_emotions_losses_of_one():
    assert_equal_losses(step_losses("deep_emotion", 50, STRATEGIES), 50)


@pytest.mark.slow
def test_two_devices_and_two_processes_give_dans_losses_of_one():
    assert_equal_losses(step_losses("dan", 50, STRATEGIES), 50)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills by SIGKILL")
def test_a_lost_worker_is_named_and_a_restart_gives_the_undisturbed_weights(tmp_path):
    """Two processes with folders of their own: only the first one's has checkpoints."""
    data = tmp_path / "data"
    setup = start([MAIN, "setup", "--sample", "--sample-count", "420", "-d", data])
    assert setup.wait(timeout=100) == 0
    words = [
        MAIN,
        "train",
        "-d",
        data,
        "--resume",
        "--strategy",
        "multiworker",
        "--recipe",
        "input_warp",
        "--epochs",
        "30",
    ]
    words += ["--batch_size", "32", "--learning_rate", "0.002", "--checkpoint_seconds", "1"]

    def both(run):
        return [
            start([*words, "--run", tmp_path / f"{run}{index}"], one)
            for index, one in enumerate(cluster(2))
        ]

    def finish(processes):
        outs = [process.communicate(timeout=300) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], outs[0][1][-2000:]

    finish(both("straight"))
    chief, other = both("killed")
    deadline = time.monotonic() + 120
    while (
        not list((tmp_path / "killed0/backup").glob("state-000003*"))
        and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    other.kill()
    _, message = chief.communicate(timeout=200)
    other.communicate()
    assert chief.returncode == 2
    assert "no longer responds, in epoch" in message.splitlines()[-1]
    assert "start all workers again with --resume" in message.splitlines()[-1]
    finish(both("killed"))
    assert not (tmp_path / "killed1").exists()

    from ferkit.training.checkpoints import Checkpoints

    straight, killed = (
        Checkpoints(tmp_path / f"{name}0" / "backup").load()[1] for name in ("straight", "killed")
    )
    assert straight.keys() == killed.keys()
    for name, expected in straight.items():
        np.testing.assert_array_equal(killed[name], expected, err_msg=name)


WORKERS = {"worker": ["a:1", "b:2"]}


def config(cluster=WORKERS, **task):
    return json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0, **task}})


def test_tf_config_is_read():
    assert read_cluster(config()) == (["a:1", "b:2"], 0)
    assert read_cluster(config(index=1)) == (["a:1", "b:2"], 1)
    with_chief = {"chief": ["c:3"], **WORKERS}
    assert read_cluster(config(with_chief)) == (["c:3", "a:1", "b:2"], 1)
    assert read_cluster(config(with_chief, type="chief")) == (["c:3", "a:1", "b:2"], 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            None,
            "TF_CONFIG: not set; --strategy multiworker requires it on every machine; for example TF_CONFIG='{",
        ),
        ("", "TF_CONFIG: not set"),
        ("{", "TF_CONFIG: cannot be read (Expecting"),
        ("[1]", "TF_CONFIG: cannot be read"),
        ("{}", "TF_CONFIG: lacks 'cluster'; received '{}'; expected for example TF_CONFIG="),
        ('{"cluster": {"worker": ["a:1"]}}', "lacks 'task'"),
        ('{"cluster": {}, "task": {"type": "worker", "index": 0}}', "lacks 'worker'"),
        (
            config(index=2),
            "TF_CONFIG: task index 2 is out of range: there are 2 of type worker; give 0 to 1",
        ),
        (config(index="0"), "TF_CONFIG: "),
        (config(type="ps"), "only workers and a chief are supported; received task type 'ps'"),
        (
            config({"worker": ["a:1", "b"]}),
            "TF_CONFIG: 'b' is not an address; expected host:port, for example host1:12345",
        ),
        (config({"worker": ["a:1", "a:1"]}), "an address appears twice in a:1, a:1"),
    ],
)
def test_a_wrong_tf_config_is_one_line(text, message):
    with pytest.raises(UserError) as caught:
        read_cluster(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
