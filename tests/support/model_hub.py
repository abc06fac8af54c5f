"""A stand-in for the models of Kaggle and the Hugging Face Hub, for downloads and uploads."""

import base64
import contextlib
import hashlib
import http.server
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.hub_server import hub_environment, running_server

COMMIT = "0" * 39 + "2"
TOKEN = "Bearer hf_of_this_test"
Answer = tuple[int, dict[str, str], bytes]


class ModelHub:
    """What the stand-in holds and what it was asked.

    Attributes:
        files: name and content of each file of its only model, "somebody/faces".
        refusal: the HTTP status of every answer; None to answer.
        requests: method and path of each request.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.refusal: int | None = None
        self.requests: list[str] = []
        self.url = ""

    def answer(self, path: str, body: bytes, token: str | None) -> Answer:
        """Status, headers and body for a request."""
        if self.refusal:
            return self.refusal, {}, b"{}"
        if path.startswith(("/api/v1/", "/v1/")):
            return self._kaggle(path.rpartition("/")[2], json.loads(body or b"{}"))
        name = "somebody/faces"
        if path == "/api/whoami-v2" and token == TOKEN:
            return _json({"name": "somebody", "type": "user", "orgs": []})
        if path == "/api/repos/create" and token == TOKEN:
            return _json({"url": f"{self.url}/{name}", "id": name})
        if path == "/api/validate-yaml":
            return _json({"errors": [], "warnings": []})
        if path.startswith(f"/api/models/{name}/"):
            return self._repository(path.split("/")[5], body, token)
        if path.startswith(f"/{name}/resolve/"):
            return self._file(path.split("/", 5)[5])
        return (404 if token == TOKEN else 401), {}, b"{}"

    def _repository(self, action: str, body: bytes, token: str | None) -> Answer:
        if action == "revision":
            return _json({"id": "somebody/faces", "sha": COMMIT, "siblings": []})
        if action == "tree":
            return _json(
                [
                    {"type": "file", "path": name, "size": len(content), "oid": _oid(content)}
                    for name, content in self.files.items()
                ]
            )
        if token != TOKEN:
            return 401, {}, b"{}"
        if action == "preupload":
            named = [file["path"] for file in json.loads(body)["files"]]
            modes = {"uploadMode": "regular", "shouldIgnore": False}
            return _json({"files": [{"path": name, **modes} for name in named]})
        for line in map(json.loads, body.splitlines()):  # a commit
            if line["key"] == "file":
                content = base64.b64decode(line["value"]["content"])
                self.files[line["value"]["path"]] = content
        return _json(
            {"commitUrl": f"{self.url}/somebody/faces/commit/{COMMIT}", "commitOid": COMMIT}
        )

    def _file(self, name: str) -> Answer:
        if name not in self.files:
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        content = self.files[name]
        return 200, {"ETag": f'"{_oid(content)}"', "X-Repo-Commit": COMMIT}, content

    def _kaggle(self, request: str, asked: dict[str, Any]) -> Answer:
        if request == "GetModelInstance":
            return _json({"id": 1, "slug": "variation", "versionNumber": 1})
        if request == "ListModelInstanceVersionFiles":
            files = [{"name": name, "size": len(c)} for name, c in self.files.items()]
            return _json({"files": files, "nextPageToken": ""})
        if request == "DownloadModelInstanceVersion":
            return 200, {"Content-Type": "application/octet-stream"}, self.files[asked["path"]]
        return 404, {}, b"{}"


def _json(content: Any) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(content).encode()


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _handler(hub: ModelHub) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
            hub.requests.append(f"{self.command} {path}")
            status, headers, content = hub.answer(path, body, self.headers.get("Authorization"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = _respond  # noqa: N815 - what http.server calls

        def log_message(self, *_: object) -> None:
            """The test's output stays readable."""

    return Handler


@contextlib.contextmanager
def model_hub() -> Iterator[ModelHub]:
    """Runs the stand-in while the context lasts."""
    hub = ModelHub()
    with running_server(_handler(hub)) as hub.url:
        yield hub


@contextlib.contextmanager
def connected_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    """The stand-in; kagglehub and huggingface_hub of this process ask nobody else."""
    constants = pytest.importorskip("huggingface_hub.constants")
    pytest.importorskip("kagglehub")
    with model_hub() as running:
        for name, value in hub_environment(running.url, str(tmp_path)).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        # It reads these variables when it is imported.
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(constants.ENDPOINT)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", running.url + template)
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "huggingface"))
        yield running
