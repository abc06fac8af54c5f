"""Checks that the packages of the extra "serve" are installed."""

import importlib.util

from ferkit.errors import UserError

REQUIRED = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "httptools": "httptools",
    "python_multipart": "python-multipart",
    "prometheus_client": "prometheus-client",
}  # module -> package


def check_installed() -> None:
    """Raise UserError if a package that only `serve` needs is missing."""
    missing = [
        package for module, package in REQUIRED.items() if importlib.util.find_spec(module) is None
    ]
    if missing:
        packages = " ".join(REQUIRED.values())
        raise UserError(
            "serve",
            f"requires {', '.join(missing)}",
            f"install with: python -m pip install {packages}",
        )
