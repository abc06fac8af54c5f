"""A stand-in for Kaggle and the Hugging Face Hub on this machine, for as much as a download asks."""

import contextlib
import hashlib
import http.server
import io
import json
import threading
import urllib.parse
import zipfile
from collections.abc import Iterator

COMMIT = "0" * 39 + "1"


class HubServer:
    """What the stand-in holds and what it was asked.

    Attributes:
        files: name and content of each file of the one dataset that it has.
        refusal: the HTTP status of every answer, and its headers; None to answer.
        archive: what Kaggle sends instead of a zip of the files.
        cut: whether the connection ends halfway through each body.
        requests: path and Authorization header of each request.
    """

    def __init__(self, files: dict[str, bytes], url: str) -> None:
        self.files, self.url = files, url
        self.refusal: tuple[int, dict[str, str]] | None = None
        self.archive: bytes | None = None
        self.cut = False
        self.requests: list[tuple[str, str | None]] = []

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes] | None:
        """Status, headers and body for a path without the host; None if there is no such thing."""
        if self.refusal:
            return (*self.refusal, b"{}")
        if path.startswith(("/api/v1/", "/v1/")):
            return self._kaggle(path.rpartition("/")[2])
        return self._hugging_face(path.strip("/").split("/"))

    def _kaggle(self, request: str) -> tuple[int, dict[str, str], bytes] | None:
        if request == "GetDataset":
            about = {"ref": "somebody/faces", "currentVersionNumber": 3}
            return 200, {"Content-Type": "application/json"}, json.dumps(about).encode()
        if request in ("DownloadDataset", "DownloadDataFiles"):
            memory = io.BytesIO()
            with zipfile.ZipFile(memory, "w") as archive:
                for name, content in self.files.items():
                    archive.writestr(name, content)
            body = memory.getvalue() if self.archive is None else self.archive
            return 200, {"Content-Type": "application/zip"}, body
        return None

    def _hugging_face(self, parts: list[str]) -> tuple[int, dict[str, str], bytes] | None:
        if parts[:2] == ["api", "datasets"] and parts[4] in ("revision", "tree"):
            about = {"id": "somebody/faces", "sha": COMMIT, "siblings": []}
            tree = [
                {"type": "file", "path": name, "size": len(content), "oid": _checksum(content)}
                for name, content in self.files.items()
            ]
            answer = about if parts[4] == "revision" else tree
            return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()
        if parts[0] == "datasets" and parts[3] == "resolve":
            content = self.files["/".join(parts[5:])]
            headers = {"ETag": f'"{_checksum(content)}"', "X-Repo-Commit": COMMIT}
            return 200, headers, content
        return None


def _checksum(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _handler(hub: HubServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def _respond(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
            hub.requests.append((path, self.headers.get("Authorization")))
            status, headers, body = hub.answer(path) or (404, {}, b"")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[: len(body) // 2] if hub.cut else body)

        do_GET = do_HEAD = do_POST = _respond  # noqa: N815 - what http.server calls

        def log_message(self, *_: object) -> None:
            """The test's output stays readable."""

    return Handler


@contextlib.contextmanager
def hub_server(files: dict[str, bytes]) -> Iterator[HubServer]:
    """Runs the stand-in while the context lasts."""
    hub = HubServer(files, "")
    with running_server(_handler(hub)) as hub.url:
        yield hub


@contextlib.contextmanager
def running_server(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server that runs in a thread while the context lasts."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{served.server_port}"
        finally:
            served.shutdown()
            thread.join()


def hub_environment(url: str, home: str) -> dict[str, str]:
    """The environment variables with which both libraries ask the stand-in, and nobody else.

    Kaggle's has no setting for its address but this: the host localhost, through a proxy.
    """
    return {
        "HF_ENDPOINT": url,
        "HF_HOME": f"{home}/huggingface",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_TOKEN": "hf_of_this_test",
        "KAGGLEHUB_CACHE": f"{home}/kagglehub",
        "KAGGLE_CONFIG_DIR": f"{home}/kaggle",
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
        "KAGGLE_API_TOKEN": "kaggle_of_this_test",
        "http_proxy": url,
        "HTTP_PROXY": url,
        "no_proxy": "127.0.0.1",
        "NO_PROXY": "127.0.0.1",
        "HOME": home,
    }
