"""Starts the server: binds the address, prepares the model, and serves until it is stopped."""

import contextlib
import errno
import logging
import signal
import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ferkit import recognition
from ferkit.errors import UserError
from ferkit.process import available_cpu_count
from ferkit.recognition.recognizer import Recognizer
from ferkit.recognition.runtimes import choose_runtime
from ferkit.serving.app import make_app
from ferkit.serving.connections import limited
from ferkit.serving.limits import Limits
from ferkit.serving.prometheus import Metrics
from ferkit.serving.service import Service
from ferkit.tensorflow_runtime import import_tensorflow

MAX_HEADER_BYTES = 65_536  # of headers, and of trailers

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]


def listen(host: str, port: int) -> socket.socket:
    """Bind an address before the model is loaded; connections wait until they are accepted.

    Raises:
        UserError: the address is in use, not an address of this machine, or not permitted.
    """
    where = f"--host {host} --port {port}"
    if not 0 <= port <= 65535:
        raise UserError(f"--port {port}", "out of range", "give 0 to 65535 (0: any free port)")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family, backlog=2048)
    except (socket.gaierror, UnicodeError) as error:  # UnicodeError: two dots, or too long
        reason = error.strerror if isinstance(error, OSError) else "not a host name"
        problem = f"unknown host ({reason})"
        raise UserError(
            f"--host {host}", problem, "give 127.0.0.1, or 0.0.0.0 for all addresses"
        ) from error
    except OSError as error:
        problem, advice = {
            errno.EADDRINUSE: ("already in use", "stop that server, or give another --port"),
            errno.EACCES: ("not permitted", "give a --port above 1023"),
            errno.EADDRNOTAVAIL: (
                "not an address of this machine",
                "give 127.0.0.1, or 0.0.0.0 for all addresses",
            ),
        }.get(error.errno or 0, (str(error.strerror), "give another address"))
        raise UserError(where, problem, advice) from error


def make_server(
    recognizer: Recognizer,
    detector: str = "auto",
    detector_model: str | None = None,
    host_names: Iterable[str] = (),
    limits: Limits | None = None,
    warm_up: Iterable[str] = ("predict", "explain"),
) -> uvicorn.Server:
    """A complete uvicorn server, ready to ``run(sockets=[listener])``.

    Args:
        recognizer: predicts expressions.
        detector: used unless a request names another one.
        detector_model: a file that replaces the detector's model.
        host_names: names of this server, besides addresses, localhost and the machine's name.
        limits: limits of the server.
        warm_up: kinds of requests that are compiled before the first one.
    """
    for reader in ("python_multipart", "PIL"):
        logging.getLogger(reader).setLevel(logging.CRITICAL)  # they quote damaged forms and photos
    limits, metrics = limits or Limits(), Metrics()
    answers = Service(
        recognizer,
        limits,
        metrics,
        lambda name: _make_detector(name, detector, detector_model, recognizer.detector_size),
    )
    answers.warm_up(warm_up)
    config = uvicorn.Config(
        make_app(answers, metrics, detector, host_names),
        http=limited(H11Protocol, limits),  # type: ignore[arg-type]  # a function is enough
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        ws="none",
        log_config=None,
        log_level="critical",  # the guard logs failures, in one line without contents
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=round(limits.seconds),
    )
    return uvicorn.Server(config)


def serve(
    weights: Path,
    host: str,
    port: int,
    runtime: str = "auto",
    detector: str = "auto",
    detector_model: str | None = None,
    host_names: Iterable[str] = (),
    detector_size: int | None = None,
    max_error: float | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM; requests in progress are answered first.

    Args:
        weights: a model file.
        host: host name or address.
        port: 0 selects any free port.
        runtime: see ``Recognizer``.
        detector: see ``make_server``.
        detector_model: see ``make_server``.
        host_names: see ``make_server``.
        detector_size, max_error: see ``Recognizer``.

    Raises:
        UserError: the address or the model cannot be used.
    """
    with listen(host, port) as listener:
        _allow_many_files()
        started = time.monotonic()
        if choose_runtime(weights, runtime)[0] == "keras":
            _use_one_core_per_call()
        recognizer = Recognizer(
            weights,
            detector,
            detector_model,
            runtime=runtime,
            detector_size=detector_size,
            max_error=max_error,
        )
        names = [*host_names, host] if host else host_names
        server = make_server(recognizer, detector, detector_model, names)
        print(
            f"{recognizer.file.stem} is ready after {time.monotonic() - started:.1f} s: "
            f"{_url(listener, host)}",
            flush=True,
        )
        print(
            "The API is documented at /docs. Ctrl-C stops the server.",
            flush=True,
        )
        run_until_stopped(server, listener)
    print("Stopped.")


def run_until_stopped(server: uvicorn.Server, listener: socket.socket) -> None:
    """Run the server; the signal that ends it, which uvicorn passes on, is not a failure."""
    before = (
        signal.signal(signal.SIGTERM, signal.default_int_handler) if _in_main_thread() else None
    )
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _make_detector(
    name: str, own: str, model: str | None, size: int | None = None
) -> recognition.Detector:
    """A detector for one of the server's threads, of which there is one per core.

    Args:
        name: the detector that a request names.
        own: the detector that the server was started with.
        model: its model; that of a plug-in is not for others.
        size: see ``Recognizer``; for YuNet alone.
    """
    is_for_all = own in recognition.DETECTORS
    return recognition.make_detector(
        name,
        model if name == own or is_for_all else None,
        threads=1,
        size=size if name in ("auto", "yunet") else None,
    )


def _use_one_core_per_call() -> None:
    """Let each core process its own batch, which is a fifth faster than sharing each batch.

    ``batching`` has one thread per core.
    """
    with contextlib.suppress(RuntimeError):  # TensorFlow is running already, with other settings
        threads = import_tensorflow().config.threading
        threads.set_intra_op_parallelism_threads(1)
        threads.set_inter_op_parallelism_threads(available_cpu_count())


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _url(listener: socket.socket, host: str) -> str:
    port = listener.getsockname()[1]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _allow_many_files() -> None:
    """Raise the limit of open connections as far as the system permits."""
    if resource is None:
        return
    _, maximum = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (maximum, maximum))
    except (ValueError, OSError):
        return
