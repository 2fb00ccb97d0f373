"""A web server on this machine that speaks the record API and fails on demand."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from offline.download import Sources
from offline.fetch import RemoteFile
from offline.web import Client, Patience


@dataclass
class Server:
    """A web server with faults on demand; it notes what was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Callable[[BaseHTTPRequestHandler], bool]]] = field(default_factory=dict)
    ranges: bool = True
    requests: list[tuple[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    record: str = "/api/records/18881334"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range", "")
        self.requests.append((request.path, wanted))
        faults = self.faults.get(request.path, [])
        if faults and faults.pop(0)(request):
            return
        body = self.files.get(request.path)
        if body is None:
            request.send_error(404)
            return
        self.send(request, body, len(body))

    def send(self, request: BaseHTTPRequestHandler, body: bytes, until: int) -> None:
        """Send a file up to byte ``until``, announcing all of it."""
        wanted = request.headers.get("Range", "")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        if start:
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            request.send_response(200)
        request.send_header("Content-Length", str(len(body) - start))
        request.end_headers()
        request.wfile.write(body[start:until])

    def cut(self, path: str, until: int) -> Callable[[BaseHTTPRequestHandler], bool]:
        """Return a fault that ends the connection after byte ``until``."""

        def fault(request: BaseHTTPRequestHandler) -> bool:
            self.send(request, self.files[path], until)
            request.close_connection = True
            return True

        return fault

    def stall(self, path: str, until: int) -> Callable[[BaseHTTPRequestHandler], bool]:
        """Return a fault that falls silent after byte ``until``."""

        def fault(request: BaseHTTPRequestHandler) -> bool:
            self.send(request, self.files[path], until)
            request.wfile.flush()
            self.released.wait()
            return True

        return fault

    def asked_for(self, path: str) -> list[str]:
        return [wanted for asked, wanted in self.requests if asked == path]

    def remote(self, path: str, body: bytes, checksum: str | None = None) -> RemoteFile:
        self.files[path] = body
        checksum = checksum or f"md5:{hashlib.md5(body).hexdigest()}"
        return RemoteFile(path[1:], self.url + path, checksum, len(body))

    def publish(self, contents: dict[str, bytes], shape: str = "zenodo") -> Sources:
        """Publish files as a record in one of the forms of the API, and the predictions."""
        entries = []
        for name, body in contents.items():
            path = f"{self.record}/files/{name}/content"
            self.files[path] = body
            digest = hashlib.md5(body).hexdigest()
            link = "content" if shape != "zenodo" else "self"
            entry = {"key": name, "size": len(body), "checksum": f"md5:{digest}"}
            entries.append({**entry, "links": {link: self.url + path}})
        document: dict[str, object] = {
            "doi": "10.5281/zenodo.18881334",
            "metadata": {"title": "REST-ASMR", "version": "v1"},
        }
        if shape == "zenodo":
            document["files"] = entries
        elif shape == "invenio":
            document["files"] = {"enabled": True, "entries": {entry["key"]: entry for entry in entries}}
        else:
            document["files"] = {"enabled": True}
            document["links"] = {"files": f"{self.url}{self.record}/files"}
            self.files[f"{self.record}/files"] = json.dumps({"enabled": True, "entries": entries}).encode()
        self.files[self.record] = json.dumps(document).encode()
        return Sources(self.url + self.record, self.remote("/predictions.pkl", b"p" * 5000))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.answer(self)

        def log_message(self, *_args: object) -> None:
            """Say nothing: pytest's output is no place for an access log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        state.url = f"http://127.0.0.1:{http_server.server_port}"
        thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        state.released.set()
        http_server.shutdown()
        thread.join()


@pytest.fixture
def pauses() -> list[float]:
    """Pauses that the client wanted to make; none is made."""
    return []


@pytest.fixture
def client(pauses: list[float]) -> Client:
    patience = Patience(timeout_s=0.3, retries=3, backoff_s=1.0)
    return Client(patience, allow_loopback=True, sleep=pauses.append)
