"""What a photo costs from end to end, and whether a large folder costs memory.

python benchmarks/prediction_cost.py --save

First a 512-pixel photo with one face (scikit-image's astronaut): reading, detection, cutting, labelling; medians of 200, and
detection's share. Then `predict` over a folder of 10,000 photos (links to 40 files of four formats): memory and open files along
the way.
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

PHOTOS, WARM_UP, TIMED = 10_000, 20, 200
MIB = 1 << 20


def parts(weights):
    """Median ms of each part for one photo."""
    from skimage import data

    from ferkit import Recognizer
    from ferkit.recognition.photos import read_photo

    recognizer, rows = Recognizer(weights), []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "astronaut.jpg"
        from PIL import Image

        Image.fromarray(data.astronaut()).save(file, quality=92)
        for number in range(WARM_UP + TIMED):
            moments = [time.perf_counter()]
            photo = read_photo(file)
            moments.append(time.perf_counter())
            found = recognizer.detector(photo)
            moments.append(time.perf_counter())
            crops = [recognizer.crop(photo, face) for face in found]
            moments.append(time.perf_counter())
            recognizer.probabilities(crops)
            moments.append(time.perf_counter())
            if number >= WARM_UP:
                rows.append([1000 * (b - a) for a, b in itertools.pairwise(moments)])
    names = ("reading", "detection", "cutting", "model")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    return {"whole": statistics.median(map(sum, rows))} | {
        name: statistics.median(values) for name, values in columns.items()
    }


def folder_run(count, weights):
    """Memory (MiB) and open files of `predict` over so many photos, at the middle and at the end."""
    from PIL import Image
    from skimage import data

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "photos").mkdir()
        whole = Image.fromarray(data.astronaut())
        for number in range(40):
            end = ("jpg", "png", "webp", "bmp")[number % 4]
            photo = whole.crop((number * 3, 0, 380 + number * 3, 300)).resize((304, 240))
            photo.save(folder / f"kind{number}.{end}")
            for copy in range(count // 40):
                os.link(
                    folder / f"kind{number}.{end}", folder / "photos" / f"{copy:05}-{number}.{end}"
                )
        command = [
            sys.executable,
            str(paired.ROOT / "main.py"),
            "predict",
            str(folder / "photos"),
            "--weights",
            weights,
        ]
        began, seen = time.perf_counter(), []
        process = subprocess.Popen(
            [*command, "--csv", str(folder / "rows.csv")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=paired.ROOT,
        )
        done = threading.Event()

        def watch():
            while not done.wait(1.0):
                status = Path(f"/proc/{process.pid}/status").read_text()
                memory = next(
                    (
                        int(line.split()[1]) / 1024
                        for line in status.splitlines()
                        if line.startswith("VmRSS")
                    ),
                    None,
                )
                if memory is None:
                    return
                seen.append((memory, len(os.listdir(f"/proc/{process.pid}/fd"))))

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = process.wait()
        done.set()
        watcher.join()
        seconds = time.perf_counter() - began
        rows = (folder / "rows.csv").read_text().count("\n") - 1
    half = seen[len(seen) // 2 :]
    return {
        "exit_code": code,
        "rows": rows,
        "seconds": round(seconds),
        "memory_at_a_quarter_MiB": round(seen[len(seen) // 4][0]),
        "memory_most_MiB": round(max(m for m, _ in seen)),
        "memory_at_the_end_MiB": round(half[-1][0]),
        "files_at_a_quarter": seen[len(seen) // 4][1],
        "files_at_the_end": half[-1][1],
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=PHOTOS)
    parser.add_argument("--weights", default="deep_emotion-fer2013")
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    cost = parts(options.weights)
    rows = [(f"{name}, ms of one photo", f"{value:.1f}") for name, value in cost.items()]
    rows += [("detection, share", f"{cost['detection'] / cost['whole']:.0%}")]
    rows += [
        (name, value)
        for name, value in folder_run(options.photos // 40 * 40, options.weights).items()
    ]
    about = f"{options.weights}; {paired.machine()}; {paired.versions()}"
    print(about)
    for name, value in rows:
        print(f"  {name:<32}{value}")
    if options.save:
        path = paired.ROOT / "benchmarks" / "results" / "Prediction_cost.csv"
        with open(path, "w", newline="", encoding="utf-8") as out:
            out.write(f"# {about}\n# {datetime.date.today()}, commit {paired.commit()}\n")
            csv.writer(out).writerows([("what", "figure"), *rows])
        print(f"Saved: {path.relative_to(paired.ROOT)}")


if __name__ == "__main__":
    main()
