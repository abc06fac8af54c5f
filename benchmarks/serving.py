"""Measures serving: latency of a request, throughput with 64 clients, and 10,000 broken requests.

    python benchmarks/serving.py --save
    python benchmarks/serving.py --weights deep_emotion_paper-fer2013 --fuzz 0

The latency is compared with a direct call of the model, the throughput with batches in one process,
in turn. The server is a separate process and this one its client. Both share the machine's cores,
so the client's work counts against the server.
"""

import argparse
import collections
import concurrent.futures
import csv
import datetime
import re
import selectors
import socket
import statistics
import subprocess
import sys
import time

import numpy as np
import paired

RESULT = paired.ROOT / "benchmarks" / "results" / "Serving.csv"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", default="deep_emotion-fer2013", metavar="NAME")
    parser.add_argument("--clients", type=int, default=64, metavar="N")
    parser.add_argument(
        "--rounds", type=int, default=7, metavar="N", help="turns of each (default: 7)"
    )
    parser.add_argument(
        "--seconds", type=float, default=4.0, metavar="X", help="of a turn (default: 4)"
    )
    parser.add_argument(
        "--fuzz", type=int, default=10_000, metavar="N", help="broken requests (default: 10,000)"
    )
    parser.add_argument(
        "--save", action="store_true", help="write the result to benchmarks/results/"
    )
    options = parser.parse_args()
    process, port = start(options.weights)
    try:
        rows = [
            *latency(options, port),
            *throughput(options, port),
            *(noise(options, port) if options.fuzz else []),
        ]
    finally:
        process.terminate()
        process.wait(timeout=60)
    clients = f"{options.clients} clients"
    about = (
        f"Serving {options.weights}; {options.rounds} rounds of {options.seconds:g} s, {clients}; "
        f"{paired.machine()}; "
    )
    about += paired.versions()
    print(about)
    for measure, value, wanted in rows:
        print(f"  {measure:<62} {value:>28}   {wanted}")
    if options.save:
        with open(RESULT, "w", newline="", encoding="utf-8") as out:
            out.write(f"# {about}\n# {datetime.date.today()}, commit {paired.commit()}\n")
            csv.writer(out).writerows([("measure", "value", "wanted"), *rows])
        print(f"Saved: {RESULT.relative_to(paired.ROOT)}")


def start(weights, runtime="auto"):
    """A server on a free port: (process, port)."""
    words = [
        sys.executable,
        "main.py",
        "serve",
        "--port",
        "0",
        "--weights",
        weights,
        "--detector",
        "none",
        "--runtime",
        runtime,
    ]
    process = subprocess.Popen(words, cwd=paired.ROOT, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
            return process, int(found[1])
    raise SystemExit("the server did not start")


def face():
    """A face-sized crop and its PNG."""
    from tests.support.serving_client import encoded

    pixels = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    return pixels, encoded(pixels, "PNG")


def latency(options, port):
    """One client: medians of a request, of a direct call, and the difference."""
    recognizer, crop = model(options)
    connection, request, gaps = socket.create_connection(("127.0.0.1", port)), post(face()[1]), []
    direct, served = [], []
    for _ in range(options.rounds):
        own = [timed(lambda: recognizer.probabilities([crop])) for _ in range(100)]
        asked = [timed(lambda: ask(connection, request)) for _ in range(100)]
        direct.append(statistics.median(own[20:]))
        served.append(statistics.median(asked[20:]))
        gaps.append(1000 * (served[-1] - direct[-1]))
    connection.close()
    yield "one face, direct: p50 ms", f"{1000 * statistics.median(direct):.2f}", ""
    yield "one face, served: p50 ms", f"{1000 * statistics.median(served):.2f}", ""
    yield "served above direct: p50 ms", spread(gaps, ".2f"), "at most 5"


def throughput(options, port):
    """Many clients against batches of as many in this process: faces/s and their ratio."""
    recognizer, crop = model(options)
    crops, request, codes, ratios, direct, served = (
        [crop] * options.clients,
        post(face()[1]),
        collections.Counter(),
        [],
        [],
        [],
    )
    for _ in range(options.rounds):
        direct.append(
            per_second(lambda: recognizer.probabilities(crops), options.clients, options.seconds)
        )
        served.append(crowd(port, request, options.clients, options.seconds, codes))
        ratios.append(served[-1] / direct[-1])
    errors = sum(count for code, count in codes.items() if code != 200)
    yield (
        f"batches of {options.clients} in one process: faces/s",
        f"{statistics.median(direct):.0f}",
        "",
    )
    yield f"{options.clients} clients: faces/s", f"{statistics.median(served):.0f}", ""
    yield (
        f"{options.clients} clients to batches in one process",
        spread(ratios, ".2f"),
        "at least 0.7",
    )
    yield (
        f"{options.clients} clients: answers that are no 200, of {sum(codes.values()):,}",
        str(errors),
        "0",
    )


def noise(options, port):
    """Random and mutated bodies: status codes, and the server's memory on the way."""
    from tests.support.serving_client import ask as ask_once
    from tests.support.serving_client import fuzz_photos, fuzz_requests

    def send(request):
        path, body, headers = request
        return ask_once(
            port,
            "POST",
            path,
            body,
            {name: value.encode("latin-1") for name, value in headers.items()},
        )[0]

    codes, marks, requests = (
        collections.Counter(),
        [],
        fuzz_requests(np.random.default_rng(11), fuzz_photos(), options.fuzz),
    )
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        while part := [
            request for _, request in zip(range(options.fuzz // 10), requests, strict=False)
        ]:
            codes.update(pool.map(send, part))
            marks.append(memory(port))
    yield (
        f"{sum(codes.values()):,} broken requests: status codes",
        " ".join(f"{c}:{n}" for c, n in sorted(codes.items())),
        "no 500",
    )
    yield (
        "memory of the server after each tenth of them: MB",
        " ".join(f"{mark:.0f}" for mark in marks),
        "flat",
    )
    yield (
        "lasting growth, last tenth above the second: MB",
        f"{marks[-1] - marks[min(1, len(marks) - 1)]:.0f}",
        "flat",
    )


def model(options):
    """The same recognizer in this process, warmed up, and a crop."""
    from ferkit import Recognizer

    recognizer, crop = Recognizer(options.weights, detector="none"), face()[0][:, :, None]
    crop = np.repeat(crop, recognizer.input_shape[-1], axis=2)
    for count in (1, options.clients):
        for _ in range(3):
            recognizer.probabilities([crop] * count)
    return recognizer, crop


def memory(port):
    from tests.support.serving_client import ask as ask_once

    text = ask_once(port, "GET", "/metrics")[1]
    return float(re.search(r"^process_resident_memory_bytes (\S+)", text, re.MULTILINE)[1]) / 1e6


def timed(run):
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def per_second(run, count, seconds):
    started, done = time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < seconds:
        run()
        done += count
    return done / spent


def spread(values, form):
    low, _, high = statistics.quantiles(values, n=4)
    return f"{statistics.median(values):{form}} (quartiles {low:{form}} to {high:{form}})"


# ---- a client that costs little


def post(body):
    """A whole request."""
    head = (
        "POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def ask(connection, request):
    """Send it, and read the whole answer; its status code."""
    connection.sendall(request)
    answer = b""
    while not whole(answer):
        answer += connection.recv(65536)
    return int(answer[9:12])


def whole(answer):
    return answer.endswith(b"}\n")


def crowd(port, request, clients, seconds, codes):
    """Answers per second of clients that send the next request after each answer."""
    selector = selectors.DefaultSelector()
    for _ in range(clients):
        connection = socket.create_connection(("127.0.0.1", port))
        selector.register(connection, selectors.EVENT_READ, bytearray())
        connection.sendall(request)
    started, done = time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < seconds:
        for key, _ in selector.select(timeout=seconds):
            key.data.extend(key.fileobj.recv(65536))
            if whole(key.data):
                codes[int(key.data[9:12])] += 1
                key.data.clear()
                done += 1
                key.fileobj.sendall(request)
    for key in list(selector.get_map().values()):
        key.fileobj.close()
    selector.close()
    return done / spent


if __name__ == "__main__":
    main()
