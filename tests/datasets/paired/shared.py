"""A dataset behind URLs: what a real server answers of it, to be changed and broken by tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx

from scopezoo.datasets.paired.crate import CRATE
from scopezoo.datasets.paired.manifest import SIDES
from scopezoo.datasets.paired.rdf import COVER, RDF, README
from scopezoo.datasets.paired.store import Dataset
from tests.serving.live import live_server
from tests.store.hub import Handler

BASE = "/api/v1/datasets/known"


def answers(folder: Path, scratch: Path) -> dict[str, bytes]:
    """All that `scopezoo serve` says of a dataset called `known`, by path."""
    found: dict[str, bytes] = {}
    with live_server(scratch, models=(), datasets=(str(folder),)) as address:

        def take(path: str) -> bytes:
            answer = httpx.get(address + path)
            assert answer.status_code == 200, path
            found[path] = answer.content
            return answer.content

        take(BASE)
        for name in ("dataset.json", README, RDF, COVER, CRATE):
            take(f"{BASE}/{name}")
        dataset = Dataset.open(folder)
        for pair in dataset.pairs:
            for side in SIDES:
                take(f"{BASE}/fields/{pair.id}/{side}.files")
                for path in dataset.files.names(pair.image(side).path):
                    take(f"{BASE}/{path}")
    return found


def in_parts(
    content: bytes,
    *,
    tag: str = '"v1"',
    most: int | None = None,
) -> Any:
    """An answer with Range and If-Range; of a part come `most` bytes, and no more."""

    def answer(handler: Handler) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
        if asked is None or handler.headers.get("If-Range", tag) != tag:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)
            return
        start = int(asked[1])
        stop = min(int(asked[2]) + 1 if asked[2] else len(content), len(content))
        part = content[start:stop]
        handler.send_response(206)
        handler.send_header("ETag", tag)
        handler.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(part)))
        handler.end_headers()
        handler.wfile.write(part if most is None else part[:most])
        if most is not None and len(part) > most:
            handler.close_connection = True

    return answer


def broken_after(content: bytes, most: int) -> Any:
    """An answer that says its true length, and ends before it."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:most])
        handler.close_connection = True

    return answer
