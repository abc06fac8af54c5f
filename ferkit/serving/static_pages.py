"""The web page's files, from this package: read once, sent as they are."""

from importlib import resources

from starlette.responses import Response

FILES = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/view.js": ("view.js", "text/javascript"),
    "/camera.js": ("camera.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


def add_pages(app, made: dict[str, str]):
    """Give a FastAPI app the page and what it is made of, and pages that were made: path -> HTML."""
    folder = resources.files(__package__) / "page"
    contents = {path: ((folder / name).read_bytes(), kind) for path, (name, kind) in FILES.items()}
    contents |= {path: (page.encode("utf-8"), "text/html") for path, page in made.items()}
    for path, (content, kind) in contents.items():
        app.add_api_route(
            path, _sender(content, kind), methods=["GET", "HEAD"], include_in_schema=False
        )


def _sender(content, kind):
    async def send():
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    return send
