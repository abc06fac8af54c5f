"""Runs contestants in turn, each in its own process, so that noise affects all of them equally.

A benchmark script defines CONTESTANTS: name -> function that prepares (imports, builds) and returns
a function ``run()`` which does one unit of work. ``main`` starts a worker for each, lets them run
in turn, and prints medians and ratios.
"""

import argparse
import csv
import datetime
import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

WARM_UP = 1.5  # seconds of running before each turn is timed
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for ferkit, which names commit and processor


class Worker:
    """A contestant in a process of its own, which waits between its turns."""

    def __init__(self, script, name):
        self.name, self.seconds = name, []
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
        self._process = subprocess.Popen(
            [sys.executable, script, "--worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ready(self):
        """Wait until it is warmed up; False when it cannot run here, with the reason printed."""
        line = self._process.stdout.readline().strip()
        if line == "ready":
            return True
        reason = (self._process.stderr.read().strip().splitlines() or ["no reason given"])[-1]
        print(f"{self.name}: left out ({reason})")
        return False

    def turn(self, repeats):
        """Run so often, and keep the mean seconds of one."""
        self._process.stdin.write(f"{repeats}\n")
        self._process.stdin.flush()
        self.seconds.append(float(self._process.stdout.readline()) / repeats)

    def stop(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.stderr.close()
        self._process.wait(timeout=30)


def work(contestants, name):
    """Be the worker of that name.

    Prepare, then run as often as each line of standard input says, and answer with the seconds.
    """
    run = contestants[name]()
    run()  # compiles, or shows that it cannot run here
    print("ready", flush=True)
    for line in sys.stdin:
        # This one has been asleep: its threads may all wake on one core, and need a while until the
        # system spreads them. Timed at once, PyTorch took 20 times as long as it did a second
        # later.
        awake = time.perf_counter()
        while time.perf_counter() - awake < WARM_UP:
            run()
        started = time.perf_counter()
        for _ in range(int(line)):
            run()
        print(time.perf_counter() - started, flush=True)


def main(script, title, contestants, ours, unit, per_run, description):
    """Run a benchmark's command line.

    Args:
        script: the benchmark's __file__.
        title: what is measured, and the name of the result file under benchmarks/results/.
        contestants: name -> prepare function.
        ours: the contestant that the others are compared with.
        unit: of what `per_run` counts, e.g. "images".
        per_run: how many of them one run handles.
        description: for --help.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=int, default=15, help="turns of each contestant (default: 15)"
    )
    parser.add_argument("--repeats", type=int, default=10, help="runs in a turn (default: 10)")
    parser.add_argument(
        "--save", action="store_true", help="write the result to benchmarks/results/"
    )
    parser.add_argument("--worker", choices=list(contestants), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(contestants, options.worker)
    workers = []
    for name in contestants:  # one after another, so that none disturbs another
        worker = Worker(script, name)
        if worker.ready():
            workers.append(worker)
    for _ in range(options.rounds):
        for worker in workers:
            worker.turn(options.repeats)
    for worker in workers:
        worker.stop()
    rows = _table(workers, ours, unit, per_run)
    about = (
        f"{title}; {options.rounds} rounds of {options.repeats}, medians; {machine()}; {versions()}"
    )
    print(about)
    width = max(len(row["contestant"]) for row in rows)
    for row in rows:
        here = row[f"{unit}_per_second_here"]
        print(
            f"  {row['contestant']:<{width}}  ours is {row['speed_up']} times as fast  ({here} "
            f"{unit}/s here)"
        )
    if options.save:
        _save(title, about, rows)
    return 0


def _table(workers, ours, unit, per_run):
    base = next(worker for worker in workers if worker.name == ours)
    rows = []
    for worker in workers:
        # Ratios of neighbours in time, then their median: drift cancels.
        ratios = [theirs / own for theirs, own in zip(worker.seconds, base.seconds, strict=True)]
        spread = statistics.quantiles(ratios, n=4)
        rows.append(
            {
                "contestant": worker.name,
                "speed_up": f"{statistics.median(ratios):.2f} "
                f"(quartiles {spread[0]:.2f} to {spread[2]:.2f})",
                f"{unit}_per_second_here": f"{per_run / statistics.median(worker.seconds):.0f}",
            }
        )
    return rows


def _save(title, about, rows):
    path = ROOT / "benchmarks" / "results" / f"{title.replace(' ', '_')}.csv"
    path.parent.mkdir(exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as out:
        out.write(f"# {about}\n# {datetime.date.today()}, commit {commit()}\n")
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"Saved: {path.relative_to(ROOT)}")


def random_split(name, rows, classes=7):
    """Random faces of 48 pixels, as a ``Split``."""
    import numpy as np

    from ferkit.input_pipeline.dataset import Split

    places = np.arange(rows, dtype=np.int32)
    pixels = np.random.default_rng(rows).integers(0, 256, (rows, 48, 48, 1), np.uint8)
    return Split(
        name,
        pixels,
        places % classes,
        np.full(rows, ""),
        places,
        tuple(map(str, range(classes))),
        True,
    )


def commit():
    """The commit measured, with "+changes" when the tree differs."""
    from ferkit.provenance import git_commit

    return git_commit()


def machine():
    """What the ratios were measured on."""
    from ferkit.provenance import processor_name

    return f"{processor_name()}, {os.cpu_count()} cores, {platform.system()}"


def versions():
    """Versions of all that may take part."""
    found = []
    for package in (
        "tensorflow",
        "keras",
        "stn",
        "torch",
        "numpy",
        "pandas",
        "pillow",
        "opencv-python-headless",
    ):
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return f"Python {platform.python_version()}, {', '.join(found)}"
