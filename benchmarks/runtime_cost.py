"""Compares `--runtime auto` (LiteRT) with `--runtime keras` from end to end, in turn in one run.

    python benchmarks/runtime_cost.py --save

It measures a cold `predict` of one 512-pixel photo (time and peak memory), the same photo in a warm
process from file to label, `predict` over a folder of photos, and `serve`: seconds until it is
ready, memory, the latency of one face and the faces/s of 64 clients. All figures of LiteRT are
printed beside those of Keras with their ratio.
"""

import argparse
import collections
import csv
import datetime
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import paired
import serving
from PIL import Image
from prediction_cost import write_photos
from skimage import data

RUNTIMES = ("auto", "keras")
WARM = """
import statistics, sys, time
from ferkit import Recognizer
recognizer, file, times = Recognizer(sys.argv[1], runtime=sys.argv[2]), sys.argv[3], []
for number in range(120):
    started = time.perf_counter()
    assert recognizer.predict(file)[0].label
    times.append(time.perf_counter() - started)
print(1000 * statistics.median(times[20:]))
"""


def measured(words: list[str]) -> tuple[float, float]:
    """Seconds and peak memory in MB of a process."""
    started = time.perf_counter()
    process = subprocess.Popen(
        words, cwd=paired.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise SystemExit(f"{' '.join(words)}: exit status {status}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def predict_words(weights: str, runtime: str, *words: str) -> list[str]:
    command = [sys.executable, "main.py", "predict", *words]
    return [*command, "--weights", weights, "--runtime", runtime]


def cold(weights: str, runtime: str, photo: Path) -> dict[str, float]:
    seconds, memory = measured(predict_words(weights, runtime, str(photo)))
    return {"cold predict of one photo: s": seconds, "cold predict of one photo: peak MB": memory}


def warm(weights: str, runtime: str, photo: Path) -> dict[str, float]:
    words = [sys.executable, "-c", WARM, weights, runtime, str(photo)]
    done = subprocess.run(words, cwd=paired.ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return {"one photo, warm, file to label: ms": float(done.stdout)}


def folder(weights: str, runtime: str, photos: Path) -> dict[str, float]:
    words = predict_words(weights, runtime, str(photos), "--csv", str(photos.parent / "rows.csv"))
    seconds, memory = measured(words)
    count = len(list(photos.iterdir()))
    return {"folder: photos/s": count / seconds, "folder: peak MB": memory}


def server(weights: str, runtime: str, seconds: float) -> dict[str, float]:
    started = time.perf_counter()
    process, port = serving.start(weights, runtime)
    ready = time.perf_counter() - started
    try:
        request, codes = serving.post(serving.face()[1]), collections.Counter()
        connection = socket.create_connection(("127.0.0.1", port))
        asked = [serving.timed(lambda: serving.ask(connection, request)) for _ in range(200)]
        connection.close()
        faces = serving.crowd(port, request, 64, seconds, codes)
        memory = serving.memory(port)
    finally:
        process.terminate()
        process.wait(timeout=60)
    if set(codes) != {200}:
        raise SystemExit(f"the server answered {dict(codes)}")
    return {
        "serve, start to ready: s": ready,
        "serve, one face: p50 ms": 1000 * statistics.median(asked[50:]),
        "serve, 64 clients: faces/s": faces,
        "serve, after 64 clients: MB": memory,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", default="deep_emotion-fer2013", metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: 5)")
    parser.add_argument("--photos", type=int, default=2000, help="photos in the folder")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a turn of 64 clients")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/")
    options = parser.parse_args()
    figures: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        photo = Path(name) / "astronaut.jpg"
        Image.fromarray(data.astronaut()).save(photo, quality=92)
        write_photos(Path(name), options.photos)
        photos = Path(name) / "photos"
        turns: list[Callable[[str], dict[str, float]]] = [
            lambda runtime: cold(options.weights, runtime, photo),
            lambda runtime: warm(options.weights, runtime, photo),
            lambda runtime: folder(options.weights, runtime, photos),
            lambda runtime: server(options.weights, runtime, options.seconds),
        ]
        for turn in turns:
            for _ in range(options.rounds):
                for runtime in RUNTIMES:
                    for key, value in turn(runtime).items():
                        figures.setdefault(key, {}).setdefault(runtime, []).append(value)
    report(figures, options)


def report(figures: dict[str, dict[str, list[float]]], options: argparse.Namespace) -> None:
    about = f"{options.weights}, {options.rounds} rounds; {paired.machine()}; {paired.versions()}"
    rows = []
    for key, values in figures.items():
        ratios = [a / b for a, b in zip(values["auto"], values["keras"], strict=True)]
        low, middle, high = (f"{value:.3g}" for value in statistics.quantiles(ratios, n=4))
        medians = [f"{statistics.median(values[runtime]):.4g}" for runtime in RUNTIMES]
        rows.append((key, *medians, middle, f"{low} to {high}"))
    heads = ("what", "LiteRT", "Keras", "ratio", "quartiles")
    print(about)
    for row in (heads, *rows):
        print(f"  {row[0]:<40} {row[1]:>9} {row[2]:>9} {row[3]:>8}  {row[4]}")
    if options.save:
        path = paired.ROOT / "benchmarks" / "results" / "Runtime_cost.csv"
        with open(path, "w", newline="", encoding="utf-8") as out:
            out.write(f"# {about}\n# {datetime.date.today()}, commit {paired.commit()}\n")
            csv.writer(out).writerows([heads, *rows])
        print(f"Saved: {path.relative_to(paired.ROOT)}")


if __name__ == "__main__":
    main()
