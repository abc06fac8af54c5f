"""Compares the speed of set-up with a plain pandas and Pillow loop, on the same CSV file.

    python benchmarks/setup_speed.py [train.csv] [--rounds 5]

The CSV is train.csv of Kaggle's competition: columns emotion and pixels. Files with more columns,
such as fer2013.csv, also work.

The loop reads the CSV with pandas and draws an eighth of the rows for validation. For each row it
splits the text, makes an array and saves a PNG with Pillow's defaults. Set-up does more: it checks
every value and searches for duplicates. Both run alternately as new processes, imports included.

All files are removed at the end. ext4 creates files slowly for some minutes after many were
removed, so a second benchmark right after the first is slower for both. --folder /dev/shm avoids
the disk. Without a CSV, the benchmark uses 28,709 generated images. They have few duplicates, so
less to check than real faces.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent

PLAIN = """
import os, sys
import numpy as np
import pandas as pd
from PIL import Image

source, folder = sys.argv[1:]
table = pd.read_csv(source, skipinitialspace=True)
order = np.random.RandomState(0).permutation(len(table))
val = order[: len(table) // 8]
for split, rows in (("val", val), ("train", order[len(table) // 8 :])):
    os.makedirs(f"{folder}/{split}", exist_ok=True)
    for row in rows:
        pixels = np.array(table["pixels"].iloc[row].split(" "), dtype="uint8").reshape(48, 48)
        Image.fromarray(pixels).save(f"{folder}/{split}/{row}.png")
"""

SET_UP = """
import sys

sys.path.insert(0, sys.argv.pop())
from generate_data.setup_fer2013 import set_up

set_up(sys.argv[2], source=sys.argv[1], progress=False)
"""


def make_csv(path: Path, rows: int = 28709) -> None:
    """Writes smooth random images as a Kaggle CSV; one in twelve duplicates an earlier one."""
    random = np.random.default_rng(0)
    with open(path, "w", encoding="ascii") as file:
        file.write("emotion,pixels\n")
        images = []
        for row in range(rows):
            if row > 100 and row % 12 == 0:
                image = images[random.integers(len(images))]
            else:
                coarse = random.normal(128, 50, (13, 13))
                smooth = np.kron(coarse, np.ones((4, 4)))
                smooth = (
                    sum(np.roll(smooth, shift, axis) for shift in range(4) for axis in (0, 1)) / 8
                )
                image = np.clip(smooth[:48, :48] + random.normal(0, 3, (48, 48)), 0, 255).astype(
                    np.uint8
                )
                images.append(image)
            file.write(f"{random.integers(7)},{' '.join(map(str, image.ravel().tolist()))}\n")


def run(program: str, *arguments: str) -> dict:
    """Returns wall and CPU seconds, and peak memory in MB, of a new Python process."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", program, *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"a process failed with status {status}")
    unit = 1 if platform.system() == "Darwin" else 1024
    return {
        "wall": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss * unit / 1e6,
    }


def main() -> None:
    """Runs the rounds and prints medians, the ratio and versions."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "csv", nargs="?", type=Path, help="train.csv of Kaggle; default: generated images"
    )
    parser.add_argument("--rounds", type=int, default=5, help="runs of each; default: 5")
    parser.add_argument(
        "--folder",
        type=Path,
        help="the folder for both outputs; default: the system's temporary folder",
    )
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    results: dict[str, list[dict]] = {"plain": [], "set-up": []}
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        source = options.csv
        if source is None:
            source = Path(scratch) / "generated.csv"
            make_csv(source)
        source.read_bytes()  # so that both read it from the page cache
        for number in range(options.rounds):
            results["plain"].append(run(PLAIN, str(source.resolve()), f"{scratch}/plain{number}"))
            results["set-up"].append(
                run(SET_UP, str(source.resolve()), f"{scratch}/set-up{number}", str(ROOT))
            )
            plain, set_up = results["plain"][-1], results["set-up"][-1]
            print(
                f"round {number + 1}: plain {plain['wall']:.2f} s, set-up {set_up['wall']:.2f} s",
                flush=True,
            )
    report(results, options)


def report(results: dict[str, list[dict]], options: argparse.Namespace) -> None:
    """Prints medians and the ratio of each round."""
    median = {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for name, runs in results.items()
    }
    ratios = [
        plain["wall"] / set_up["wall"]
        for plain, set_up in zip(results["plain"], results["set-up"], strict=True)
    ]
    print(f"{'':8}{'seconds':>10}{'CPU seconds':>12}{'peak MB':>10}")
    for name, values in median.items():
        print(f"{name:8}{values['wall']:10.2f}{values['cpu']:12.2f}{values['memory']:10.0f}")
    rounds = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"ratio: {statistics.median(ratios):.2f} times as fast (rounds: {rounds})")
    peak = max(run["memory"] for run in results["set-up"])
    print(f"peak memory of set-up in any round: {peak:.0f} MB (limit: 700)")
    packages = {
        name: version(name)
        for name in ("numpy", "pandas", "Pillow", "opencv-python-headless", "tqdm")
    }
    print(f"Python {platform.python_version()}, {packages}, {os.cpu_count()} processors")
    if options.json:
        figures = {
            "median": median,
            "ratio": statistics.median(ratios),
            "ratios": ratios,
            "packages": packages,
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
