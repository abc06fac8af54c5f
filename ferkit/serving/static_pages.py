"""The files of the web page, read once; its colors and fonts are those of the reports."""

from collections.abc import Awaitable, Callable
from importlib import resources

from fastapi import FastAPI
from starlette.responses import Response

from ferkit.reporting.html import THEME

FILES = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    "/theme.css": ("theme.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/answers.js": ("answers.js", "text/javascript"),
    "/view.js": ("view.js", "text/javascript"),
    "/camera.js": ("camera.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


def add_pages(app: FastAPI, rendered: dict[str, str]) -> None:
    """Add routes for the page's files and for rendered pages.

    Args:
        app: the application.
        rendered: path -> HTML.
    """
    folder = resources.files(__package__) / "page"
    contents = {
        path: ((THEME if name == THEME.name else folder / name).read_bytes(), kind)
        for path, (name, kind) in FILES.items()
    }
    contents |= {path: (page.encode("utf-8"), "text/html") for path, page in rendered.items()}
    for path, (content, media_type) in contents.items():
        sender = _sender(content, media_type)
        app.add_api_route(path, sender, methods=["GET", "HEAD"], include_in_schema=False)


def _sender(content: bytes, media_type: str) -> Callable[[], Awaitable[Response]]:
    async def send() -> Response:
        return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})

    return send
