"""Measures the cost of a photo from end to end, and the memory that a large folder takes.

python benchmarks/prediction_cost.py --save

First, a 512-pixel photo with one face (the astronaut of scikit-image): reading, detection,
cropping and prediction, with medians of 200, and the share of detection. Then `predict` over a
folder of 10,000 photos (links to 40 files of four formats): memory and open files over time.
"""

import argparse
import csv
import datetime
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import paired
from PIL import Image
from skimage import data

PHOTOS, WARM_UP, TIMED = 10_000, 20, 200
SOURCE_FILES, SUFFIXES = 40, ("jpg", "png", "webp", "bmp")

Figure = int | float | str


def photo_parts(weights: str) -> dict[str, float]:
    """Median ms of one photo: "whole", and each part."""
    from ferkit import Recognizer  # late: after `paired` has set the path
    from ferkit.recognition.photos import read_photo

    recognizer, rows = Recognizer(weights), []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "astronaut.jpg"
        Image.fromarray(data.astronaut()).save(file, quality=92)
        for number in range(WARM_UP + TIMED):
            times = [time.perf_counter()]
            photo = read_photo(file)
            times.append(time.perf_counter())
            faces = recognizer.detector(photo)
            times.append(time.perf_counter())
            crops = [recognizer.crop(photo, face) for face in faces]
            times.append(time.perf_counter())
            recognizer.probabilities(crops)
            times.append(time.perf_counter())
            if number >= WARM_UP:
                rows.append([1000 * (end - start) for start, end in itertools.pairwise(times)])
    names = ("reading", "detection", "cutting", "model")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    return {"whole": statistics.median(map(sum, rows))} | {
        name: statistics.median(values) for name, values in columns.items()
    }


def write_photos(folder: Path, count: int) -> None:
    """Write SOURCE_FILES photos, and links to them in ``folder / "photos"``."""
    (folder / "photos").mkdir()
    astronaut = Image.fromarray(data.astronaut())
    for number in range(SOURCE_FILES):
        suffix = SUFFIXES[number % len(SUFFIXES)]
        photo = astronaut.crop((number * 3, 0, 380 + number * 3, 300)).resize((304, 240))
        file = folder / f"kind{number}.{suffix}"
        photo.save(file)
        for copy in range(count // SOURCE_FILES):
            os.link(file, folder / "photos" / f"{copy:05}-{number}.{suffix}")


def memory_and_files(process_id: int) -> tuple[float, int] | None:
    """Resident memory in MiB and number of open files of a process; None when it has ended."""
    status = Path(f"/proc/{process_id}/status").read_text()
    for line in status.splitlines():
        if line.startswith("VmRSS"):
            memory = int(line.split()[1]) / 1024
            return memory, len(os.listdir(f"/proc/{process_id}/fd"))
    return None


def folder_run(count: int, weights: str) -> dict[str, Figure]:
    """Memory (MiB) and open files of `predict` over `count` photos, over time."""
    samples: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder, count)
        command = [sys.executable, str(paired.ROOT / "main.py"), "predict", str(folder / "photos")]
        arguments = ["--weights", weights, "--csv", str(folder / "rows.csv")]
        started, finished = time.perf_counter(), threading.Event()
        process = subprocess.Popen(
            [*command, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=paired.ROOT,
        )

        def watch() -> None:
            while not finished.wait(1.0):
                sample = memory_and_files(process.pid)
                if sample is None:
                    return
                samples.append(sample)

        watcher = threading.Thread(target=watch)
        watcher.start()
        exit_code = process.wait()
        finished.set()
        watcher.join()
        seconds = time.perf_counter() - started
        rows = (folder / "rows.csv").read_text().count("\n") - 1
    quarter, end = samples[len(samples) // 4], samples[-1]
    return {
        "exit_code": exit_code,
        "rows": rows,
        "seconds": round(seconds),
        "memory_at_a_quarter_MiB": round(quarter[0]),
        "memory_most_MiB": round(max(memory for memory, _ in samples)),
        "memory_at_the_end_MiB": round(end[0]),
        "files_at_a_quarter": quarter[1],
        "files_at_the_end": end[1],
    }


def save(about: str, rows: list[tuple[str, Figure]]) -> None:
    """Write the figures to benchmarks/results/."""
    path = paired.ROOT / "benchmarks" / "results" / "Prediction_cost.csv"
    with open(path, "w", newline="", encoding="utf-8") as out:
        out.write(f"# {about}\n# {datetime.date.today()}, commit {paired.commit()}\n")
        csv.writer(out).writerows([("what", "figure"), *rows])
    print(f"Saved: {path.relative_to(paired.ROOT)}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=PHOTOS, help="photos in the folder")
    parser.add_argument("--weights", default="deep_emotion-fer2013")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/")
    options = parser.parse_args()
    cost = photo_parts(options.weights)
    rows: list[tuple[str, Figure]] = [
        (f"{name}, ms of one photo", f"{value:.1f}") for name, value in cost.items()
    ]
    rows.append(("detection, share", f"{cost['detection'] / cost['whole']:.0%}"))
    count = options.photos // SOURCE_FILES * SOURCE_FILES
    rows += folder_run(count, options.weights).items()
    about = f"{options.weights}; {paired.machine()}; {paired.versions()}"
    print(about)
    for name, value in rows:
        print(f"  {name:<32}{value}")
    if options.save:
        save(about, rows)


if __name__ == "__main__":
    main()
