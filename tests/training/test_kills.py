"""kill -9 twenty times at random moments, and the weights are those of a run that nothing
disturbed.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ferkit.training.checkpoints import Checkpoints

MAIN = Path(__file__).resolve().parents[2] / "main.py"
KILLS = 20
# A checkpoint after every step, so that many deaths fall in the middle of writing one.
WORDS = "--resume --checkpoint_seconds 0 --recipe input_warp --epochs 60 --batch_size 32 --optimizer sgd --learning_rate 0.02"
WORDS += " --schedule plateau --decay_epochs 5 --ema 0.99 --mixup 0.2 --cutmix 1 --rotation 10 --erase 0.3 --clip_norm 2"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills by SIGKILL")
def test_twenty_kills_at_random_moments_change_nothing(tmp_path):
    data, log = tmp_path / "data", open(tmp_path / "log.txt", "w")  # noqa: SIM115 - closed with the test
    subprocess.run(
        [sys.executable, MAIN, "setup", "--sample", "--sample-count", "420", "-d", data],
        check=True,
        stdout=log,
    )

    def start(run):
        command = [
            sys.executable,
            MAIN,
            "train",
            "-d",
            data,
            "--run",
            tmp_path / run,
            *WORDS.split(),
        ]
        return subprocess.Popen(command, stdout=log, stderr=log)

    assert start("straight").wait(timeout=600) == 0
    moments, places = random.Random(0), []
    for number in range(KILLS):
        process = start("killed")
        if number % 5:  # most deaths while it trains, some while it starts
            before = Checkpoints(tmp_path / "killed/backup").files()[:1]
            while (
                Checkpoints(tmp_path / "killed/backup").files()[:1] == before
                and process.poll() is None
            ):
                time.sleep(0.005)
            time.sleep(moments.uniform(0.0, 1.0))
        else:
            time.sleep(moments.uniform(0.5, 8.0))
        assert process.poll() is None, "it finished before it could be killed"
        process.kill()
        process.wait()
        places.append(Checkpoints(tmp_path / "killed/backup").position())
    assert start("killed").wait(timeout=600) == 0
    print([place and (place["epoch"], place["step"]) for place in places])

    straight, killed = (
        Checkpoints(tmp_path / name / "backup").load() for name in ("straight", "killed")
    )
    for name, expected in straight[1].items():
        np.testing.assert_array_equal(killed[1][name], expected, err_msg=name)
    histories = [
        (tmp_path / name / "history.csv").read_text().splitlines()
        for name in ("straight", "killed")
    ]
    assert [line.rsplit(",", 1)[0] for line in histories[0]] == [
        line.rsplit(",", 1)[0] for line in histories[1]
    ]
    figures = [
        (tmp_path / name / "report/figures.json").read_text() for name in ("straight", "killed")
    ]
    assert figures[0] == figures[1]
    assert not [path for path in (tmp_path / "killed").rglob(".*") if path.is_file()], (
        "drafts were left behind"
    )
    assert len(list((tmp_path / "killed/backup").glob("state-*"))) == 2
