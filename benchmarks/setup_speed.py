"""Set-up against a plain pandas and Pillow loop, on the same CSV file.

    python benchmarks/setup_speed.py [train.csv] [--rounds 5]

The loop reads the CSV with pandas, draws an eighth of the rows for validation, and for each row
splits the text, makes an array and saves a PNG with Pillow's defaults. Set-up does more: it checks
every value and looks for copies. Both run as fresh processes, in turn, imports included. Files are
removed at the end only: ext4 is slow to make files for some minutes after many were removed, so a
second benchmark in a row is slower, for both; --folder /dev/shm leaves the disk out of it. Without
a CSV, one of 28,709 made-up images is used; it has few copies, so less to check than real faces.
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

ROOT = Path(__file__).resolve().parent.parent

PLAIN = """
import os, sys
import numpy as np
import pandas as pd
from PIL import Image

source, folder = sys.argv[1:]
table = pd.read_csv(source)
order = np.random.RandomState(0).permutation(len(table))
val = order[: len(table) // 8]
for split, rows in (("val", val), ("train", order[len(table) // 8 :])):
    os.makedirs(f"{folder}/{split}", exist_ok=True)
    for row in rows:
        pixels = np.array(table["pixels"].iloc[row].split(" "), dtype="uint8").reshape(48, 48)
        Image.fromarray(pixels).save(f"{folder}/{split}/{row}.png")
"""

OURS = """
import sys

sys.path.insert(0, sys.argv.pop())
from generate_data.setup_fer2013 import set_up

set_up(sys.argv[2], source=sys.argv[1], progress=False)
"""


def make_csv(path: Path, rows: int = 28709) -> None:
    """Writes smooth random images, one in twelve a copy of an earlier one, as a Kaggle CSV."""
    import numpy as np

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
    """Seconds by the clock, processor seconds, and peak memory in MB, of a fresh Python process."""
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
        "csv", nargs="?", type=Path, help="train.csv of Kaggle; without it, made-up images"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--folder", type=Path, help="where both write (default: the system's temporary folder)"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    results: dict[str, list[dict]] = {"plain": [], "ours": []}
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        source = options.csv
        if source is None:
            source = Path(scratch) / "made-up.csv"
            make_csv(source)
        source.read_bytes()  # both find the file in memory
        for number in range(options.rounds):
            results["plain"].append(run(PLAIN, str(source.resolve()), f"{scratch}/plain{number}"))
            results["ours"].append(
                run(OURS, str(source.resolve()), f"{scratch}/ours{number}", str(ROOT))
            )
            plain, ours = results["plain"][-1], results["ours"][-1]
            print(
                f"round {number + 1}: plain {plain['wall']:.2f} s, ours {ours['wall']:.2f} s",
                flush=True,
            )
    report(results, options)


def report(results: dict[str, list[dict]], options: argparse.Namespace) -> None:
    """Prints medians and the ratio of each pair of neighbouring runs."""
    median = {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for name, runs in results.items()
    }
    ratios = [
        plain["wall"] / ours["wall"]
        for plain, ours in zip(results["plain"], results["ours"], strict=True)
    ]
    print(f"{'':8}{'seconds':>10}{'processor':>12}{'peak MB':>10}")
    for name, values in median.items():
        print(f"{name:8}{values['wall']:10.2f}{values['cpu']:12.2f}{values['memory']:10.0f}")
    print(
        f"ratio: {statistics.median(ratios):.2f} times as fast (rounds: "
        f"{', '.join(f'{ratio:.2f}' for ratio in ratios)})"
    )
    peak = max(run["memory"] for run in results["ours"])
    print(f"peak memory of ours in any round: {peak:.0f} MB (to stay below 700)")
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
