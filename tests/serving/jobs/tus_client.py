"""A client of the tus protocol, as small as one can be."""

from __future__ import annotations

import base64

import httpx

VERSION = {"Tus-Resumable": "1.0.0"}


def begin(http: httpx.Client, length: int, filename: str = "cells.tif") -> httpx.Response:
    """Ask for an upload of `length` bytes."""
    encoded = base64.b64encode(filename.encode()).decode()
    headers = {**VERSION, "Upload-Length": str(length), "Upload-Metadata": f"filename {encoded}"}
    return http.post("/api/v1/uploads", headers=headers)


def patch(http: httpx.Client, url: str, offset: int, content: object) -> httpx.Response:
    """Send a part; `content` is bytes, or an iterator of them."""
    kind = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
    return http.patch(url, headers={**VERSION, **kind}, content=content)  # type: ignore[arg-type]


def received(http: httpx.Client, url: str) -> int:
    """How many bytes the server has."""
    answer = http.head(url, headers=VERSION)
    assert answer.status_code == 200, answer.status_code
    return int(answer.headers["Upload-Offset"])


def send(http: httpx.Client, content: bytes, filename: str = "cells.tif") -> str:
    """Upload all of a file; gives its id."""
    begun = begin(http, len(content), filename)
    assert begun.status_code == 201, begun.text
    url = begun.headers["Location"]
    assert patch(http, url, 0, content).status_code == 204
    return str(url.rpartition("/")[2])
