"""Measures the page that needs no server: its first label, and its rate with a camera.

make web-test && python benchmarks/web_page.py --save

A new profile of Chromium opens the page from a host on this machine, and gets a photo at once. The
time until its label is shown is that of a first visit, without the network. The camera is a film of
640 x 480 pixels with one face, of which the page shows answer after answer. Between these, the
recognizer in Python predicts the same frames: the ratio of both rates is what the browser costs,
however busy the machine is.
"""

import argparse
import csv
import datetime
import os
import statistics
import tempfile
import time
from pathlib import Path

import paired
from PIL import Image

from ferkit import Recognizer
from ferkit.demo.steps import ASTRONAUT
from tests.support.browser import browser_page, camera_film
from tests.support.built_page import hosted

FIRST_LABEL = """() => new Promise((done) => {
    const faces = document.getElementById("faces");
    const seen = () => faces.textContent && done(performance.now() / 1000);
    new MutationObserver(seen).observe(faces, { childList: true, subtree: true });
    seen();
})"""
ANSWERS = """(seconds) => new Promise((done) => {
    let count = 0;
    const counter = new MutationObserver(() => { count += 1; });
    counter.observe(document.getElementById("overlay"), { childList: true });
    setTimeout(() => done(count / seconds), seconds * 1000);
})"""


def opened(address, film, profile, seconds):
    """Seconds from opening to the first label; of the camera, answers per second, and per second of
    processor time of the page's thread.
    """
    with browser_page(profile, film) as page:
        page.goto(address, wait_until="commit")
        page.locator("#file").set_input_files(ASTRONAUT)
        first = page.evaluate(FIRST_LABEL)
        page.get_by_role("button", name="Use the camera").click()
        page.wait_for_selector(".box")
        page.wait_for_timeout(1500)
        metrics = page.context.new_cdp_session(page)
        metrics.send("Performance.enable")
        before = thread_seconds(metrics)
        rate = page.evaluate(ANSWERS, seconds)
        return first, rate, rate * seconds / (thread_seconds(metrics) - before)


def thread_seconds(metrics):
    """Processor time that the thread of the page has used."""
    found = metrics.send("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in found if metric["name"] == "ThreadTime")


def python_rate(recognizer, frames, seconds):
    """Frames per second of the recognizer."""
    started, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < seconds:
        recognizer.predict(frames[count % len(frames)])
        count += 1
    return count / spent


def measured(rounds, seconds):
    """Each round's results of ``opened``, and frames per second in Python."""
    recognizer, results = Recognizer(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = camera_film(folder / "camera.mjpeg", Image.open(ASTRONAUT).convert("RGB"))
        with hosted(folder) as address:
            for number in range(rounds):
                profile = folder / f"profile{number}"
                page = opened(address, folder / "camera.mjpeg", profile, seconds)
                results.append((*page, python_rate(recognizer, frames, seconds)))
                print("  round", number + 1, *(f"{value:.2f}" for value in results[-1]))
    return results


def spread(values, form=".2f"):
    low, _, high = statistics.quantiles(values, n=4)
    return f"{statistics.median(values):{form}} (quartiles {low:{form}} to {high:{form}})"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5.0, help="of the camera, in a round")
    parser.add_argument("--save", action="store_true", help="write to benchmarks/results/")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    firsts, rates, thread_rates, python_rates = zip(
        *measured(options.rounds, options.seconds), strict=True
    )
    ratios = [python / rate for python, rate in zip(python_rates, rates, strict=True)]
    rows = [
        ("first label, seconds after opening", spread(firsts)),
        ("camera frames per second, 640 x 480, one face", spread(rates, ".1f")),
        ("the same, per second of processor time of the page", spread(thread_rates, ".1f")),
        ("time of a frame as a ratio to the recognizer in Python", spread(ratios, ".1f")),
    ]
    about = (
        f"Page in the browser; {options.rounds} rounds, medians; load before: {load:.1f}; "
        f"{paired.machine()}; {paired.versions()}"
    )
    print(about, *(f"  {name}: {value}" for name, value in rows), sep="\n")
    if options.save:
        path = paired.ROOT / "benchmarks" / "results" / "Web_page.csv"
        with open(path, "w", newline="", encoding="utf-8") as out:
            out.write(f"# {about}\n# {datetime.date.today()}, commit {paired.commit()}\n")
            csv.writer(out).writerows([("measure", "here"), *rows])
        print(f"Saved: {path.relative_to(paired.ROOT)}")


if __name__ == "__main__":
    main()
