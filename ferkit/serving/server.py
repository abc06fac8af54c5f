"""serve: the address is taken, the model made ready, and requests are answered until somebody stops it."""

import contextlib
import errno
import importlib.util
import logging
import signal
import socket
import threading
import time

from ferkit.errors import UserError
from ferkit.serving.limits import Limits

NEEDED = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "httptools": "httptools",
    "python_multipart": "python-multipart",
    "prometheus_client": "prometheus-client",
}  # module -> package


def check_installed():
    """Raises:
    UserError: a package that only serve needs is missing.
    """
    missing = [
        package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None
    ]
    if missing:
        raise UserError(
            f"serve needs {', '.join(missing)}: python -m pip install {' '.join(NEEDED.values())}"
        )


def listen(host: str, port: int) -> socket.socket:
    """Take an address, before anything slow is done; connections wait there until they are accepted.

    Raises:
        UserError: it is taken, not this machine's, or not allowed.
    """
    where = f"--host {host} --port {port}"
    if not 0 <= port <= 65535:
        raise UserError(f"--port {port}: out of range; give 0 to 65535 (0: any free one).")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family, backlog=2048)
    except socket.gaierror as error:
        raise UserError(
            f"--host {host}: no such host ({error.strerror}); give 127.0.0.1, or 0.0.0.0 for all."
        ) from error
    except OSError as error:
        advice = {
            "EADDRINUSE": "something listens there already; stop that, or give another --port",
            "EACCES": "not allowed; give a --port above 1023",
            "EADDRNOTAVAIL": "no address of this machine; give 127.0.0.1, or 0.0.0.0 for all",
        }.get(errno.errorcode.get(error.errno), f"{error.strerror}; give another address")
        raise UserError(f"{where}: {advice}.") from error


def make_server(
    recognizer,
    detector="auto",
    detector_model=None,
    names=(),
    limits: Limits | None = None,
    warm=("predict", "explain"),
):
    """A uvicorn server with everything in it, ready to ``run(sockets=[listener])``.

    Args:
        recognizer: a ``Recognizer``.
        detector: used unless a request names one.
        detector_model: a file in place of the detector's model.
        names: this server may be called by, beside addresses, localhost and the machine's own.
        limits: of requests.
        warm: what is compiled before the first request.
    """
    import uvicorn

    from ferkit import recognition as detection
    from ferkit.serving.app import make_app
    from ferkit.serving.http_protocol import connection_class
    from ferkit.serving.prometheus import Metrics
    from ferkit.serving.service import Service

    for reader in ("python_multipart", "PIL"):
        logging.getLogger(reader).setLevel(logging.CRITICAL)  # they quote damaged forms and photos
    limits, metrics = limits or Limits(), Metrics()
    service = Service(
        recognizer, limits, metrics, lambda name: detection.make_detector(name, detector_model)
    )
    service.warm_up(warm)
    app = make_app(service, metrics, detector, names)
    config = uvicorn.Config(
        app,
        http=connection_class(limits),
        ws="none",
        log_config=None,
        log_level="critical",  # failures are told by the guard, in one line without contents
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=round(limits.seconds),
    )
    return uvicorn.Server(config)


def serve(load_recognizer, host: str, port: int, detector="auto", detector_model=None, names=()):
    """Serve until Ctrl-C or SIGTERM; requests under way are answered first.

    Args:
        load_recognizer: () -> ``Recognizer``; called when the address is taken.
        host, port: the address.
        detector, detector_model, names: as of ``make_server``.

    Raises:
        UserError: the address or the model cannot be used.
    """
    check_installed()
    with listen(host, port) as listener:
        _allow_many_files()
        started = time.monotonic()
        _one_core_a_call()
        recognizer = load_recognizer()
        names = [*names, host] if host else names
        server = make_server(recognizer, detector, detector_model, names)
        print(
            f"{recognizer.file.stem} is ready after {time.monotonic() - started:.0f} s: {_url(listener, host)}",
            flush=True,
        )
        print(
            "The API is described at /docs. Ctrl-C stops; what is under way is answered first.",
            flush=True,
        )
        run_until_stopped(server, listener)
    print("Stopped.")


def run_until_stopped(server, listener):
    """Run; uvicorn hands on the signal that ended it, which is no failure here."""
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


def _one_core_a_call():
    """Every core works on a batch of its own, which does a fifth more than all on each (batching.py has a thread for each)."""
    from ferkit.tensorflow_runtime import available_cpu_count, import_tensorflow

    with contextlib.suppress(RuntimeError):  # TensorFlow is at work already, with other settings
        threads = import_tensorflow().config.threading
        threads.set_intra_op_parallelism_threads(1)
        threads.set_inter_op_parallelism_threads(available_cpu_count())


def _in_main_thread():
    return threading.current_thread() is threading.main_thread()


def _url(listener, host):
    port = listener.getsockname()[1]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _allow_many_files():
    """As many open connections as the system lets this process have."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (ValueError, OSError):
        return
