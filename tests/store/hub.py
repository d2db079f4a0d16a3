"""A server on loopback in the part of bioimage.io, Zenodo and whoever else hosts files."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests import small_models as small

Answer = Callable[["Handler"], None]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers from the hub's table, by path without the query."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.hub.asked[path] += 1
        self.hub.requests.append(self.path)
        answer = self.hub.answers.get(path)
        if isinstance(answer, bytes):
            self.send_file(answer)
        elif answer is not None:
            answer(self)
        else:
            self.send_error(404)

    def send_file(self, content: bytes) -> None:
        """With Range, as file hosts do."""
        asked = self.headers.get("Range", "bytes=0-")
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last) + 1 if last else len(content), len(content))
        if start and start >= len(content):
            self.send_error(416)
            return
        is_part = start > 0 or stop < len(content)
        self.send_response(206 if is_part else 200)
        self.send_header("Content-Length", str(stop - start))
        if is_part:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[start:stop])

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


class Hub:
    """`answers` by path: content, or a function that is given the handler."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | Answer] = {}
        self.asked: Counter[str] = Counter()
        self.requests: list[str] = []
        handler = type("OwnHandler", (Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def publish(
        self, name: str, files: dict[str, bytes], version: str = "v0", created: str = "2025-07-01"
    ) -> str:
        """A model of the index, as bioimage.io lays it out; the URL of its description."""
        folder = f"/bioimage-io/artifacts/{name}/files"
        for file, content in files.items():
            self.answers[f"{folder}/{file}"] = content
        url = f"{self.url}{folder}/rdf.yaml?version={version}"
        index = self.index()
        item = next((i for i in index["items"] if i["id"] == f"bioimage-io/{name}"), None)
        if item is None:
            item = {"id": f"bioimage-io/{name}", "type": "model", "versions": []}
            index["items"].append(item)
        item["versions"].append(
            {
                "comment": None,
                "created_at": f"{created}T00:00:00Z",
                "sha256": sha256(files["rdf.yaml"]),
                "source": url,
                "version": version,
            }
        )
        self.answers["/index.json"] = json.dumps(index).encode()
        return url

    def index(self) -> dict[str, Any]:
        kept = self.answers.get("/index.json")
        return json.loads(kept) if isinstance(kept, bytes) else {"items": [], "total": 0}

    def record(self, number: int, files: dict[str, bytes], latest_of: int | None = None) -> None:
        """A record of Zenodo."""
        entries = []
        for file, content in files.items():
            path = f"/api/records/{number}/files/{file}/content"
            self.answers[path] = content
            entries.append(
                {
                    "key": file,
                    "size": len(content),
                    "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
                    "links": {"self": self.url + path},
                }
            )
        record = {"id": number, "created": "2024-01-01T00:00:00+00:00", "files": entries}
        self.answers[f"/api/records/{number}"] = json.dumps(record).encode()
        if latest_of is not None:
            latest = f"/api/records/{latest_of}/versions/latest"
            self.answers[latest] = self.answers[f"/api/records/{number}"]


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()
    hub.answers["/id_map.json"] = b"{}"
    hub.answers["/index.json"] = b'{"items": []}'
    try:
        yield hub
    finally:
        hub.close()


def environment(hub: Hub) -> dict[str, str]:
    """What makes scopezoo ask this hub."""
    return {
        "SCOPEZOO_INDEX": f"{hub.url}/index.json",
        "SCOPEZOO_ID_MAP": f"{hub.url}/id_map.json",
        "SCOPEZOO_ZENODO": f"{hub.url}/api",
    }


def model_files(**changes: Any) -> dict[str, bytes]:
    """A package that runs, with a card, test tensors and hashes."""
    weights = small.encoder_decoder(2)
    others = {"weights.onnx": weights, "README.md": b"# A card", "tests/in.npy": b"in"}
    rdf = small.image_model(2)
    rdf["weights"]["onnx"]["sha256"] = sha256(weights)
    rdf["documentation"] = "README.md"
    rdf["inputs"][0]["test_tensor"] = {"source": "tests/in.npy", "sha256": sha256(b"in")}
    rdf.update(changes)
    return {"rdf.yaml": json.dumps(rdf).encode(), **others}


def with_weights(source: str, sha: str | None = None, name: str = "onnx") -> dict[str, bytes]:
    """The same with another `weights` entry."""
    entry = {"source": source, "opset_version": 17, **({"sha256": sha} if sha else {})}
    return model_files(weights={name: entry})
