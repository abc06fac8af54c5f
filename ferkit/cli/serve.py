"""`serve`: a web page and a JSON API for predictions, until Ctrl-C."""

import argparse
import dataclasses

from ferkit.cli.arguments import add_detector, add_max_error, add_runtime
from ferkit.cli.which_model import ModelChoice, add_model_choice, resolve

EXAMPLES = """\
examples:
  python main.py serve
      open http://127.0.0.1:8000, then drop a photo or use the camera
  python main.py serve --port 9000 --weights dan-fer2013
  python main.py serve --host 0.0.0.0 --allow-host faces.example.org
      reachable from other machines; there is no password
  curl -H 'Content-Type: image/jpeg' --data-binary @photo.jpg http://127.0.0.1:8000/v1/predict
  curl -F file=@face.png 'http://127.0.0.1:8000/v1/explain?detector=none'

Paths: / (page), /docs (API), /v1/predict, /v1/explain, /v1/models, /healthz, /metrics. Photos are
not stored. Requires fastapi, uvicorn, h11, python-multipart and prometheus-client. The camera of a
browser requires https or localhost.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(ModelChoice):
    """What the user gave to `serve`.

    Attributes:
        host, port: address to listen on.
        allow_host: host names that the server is reached by.
        runtime: "auto", or the name of a runtime.
        detector: name of a face detector.
        detector_model: another model file for the detector.
        max_error: fraction of wrong labels; less confident labels are unsure; None: not asked for.
        detector_size: longest side at which photos are searched; None: the detector chooses.
    """

    host: str
    port: int
    allow_host: list[str]
    runtime: str
    max_error: float | None
    detector: str
    detector_model: str | None
    detector_size: int | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `serve`."""
    parser.add_argument(
        "--port",
        type=int,
        default=8000,
        metavar="N",
        help="port to listen on; 0: any free port (default: 8000)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on; 0.0.0.0: all, reachable from other machines "
        "(default: 127.0.0.1)",
    )
    parser.add_argument(
        "--allow-host",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="a host name of this server, such as that of a proxy; IP addresses and localhost are "
        "always allowed",
    )
    add_model_choice(parser, default="shipped weights")
    add_runtime(parser)
    add_max_error(parser)
    add_detector(parser)


def run(options: Options) -> int:
    """Serve until Ctrl-C or SIGTERM; returns the exit code."""
    path = resolve(options, default="shipped weights")
    from ferkit.serving import server  # late: NumPy; FastAPI is optional

    server.serve(
        path,
        options.host,
        options.port,
        options.runtime,
        options.detector,
        options.detector_model,
        options.allow_host,
        options.detector_size,
        options.max_error,
    )
    return 0
