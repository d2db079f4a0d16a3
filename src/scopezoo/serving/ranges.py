"""A file as an answer: whole or in part, or none where the client has this version (RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import BinaryIO

from fastapi import Request
from starlette.responses import Response, StreamingResponse

BLOCK_BYTES = 1 << 18
_ONE_PART = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def file_answer(
    request: Request,
    open_file: Callable[[], BinaryIO],
    *,
    size_bytes: int,
    version: str,
    modified_s: float,
    media_type: str,
    cache: str,
) -> Response:
    """200, 206, 304 or 416 for GET and HEAD; `cache` is the Cache-Control.

    `open_file` gives a stream that can be sought, which is closed at the end. Of a request for
    several parts the whole is sent, as the standard allows.
    """
    tag = f'"{version}"'
    headers = {"ETag": tag, "Cache-Control": cache, "Accept-Ranges": "bytes"}
    headers["Last-Modified"] = formatdate(modified_s, usegmt=True)
    if is_known(request, tag):
        return Response(status_code=304, headers=headers)
    condition = request.headers.get("if-range")
    given = request.headers.get("range", "") if condition in (None, tag) else ""
    part = _part(given, size_bytes)
    if part is None:
        headers["Content-Range"] = f"bytes */{size_bytes}"
        return Response(status_code=416, headers=headers)
    start, stop = part
    is_part = bool(_ONE_PART.fullmatch(given)) and given != "bytes=-"
    if is_part:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size_bytes}"
    headers["Content-Length"] = str(stop - start)
    status = 206 if is_part else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media_type)
    content = _blocks(open_file(), start, stop)
    return StreamingResponse(content, status, headers, media_type)


def is_known(request: Request, tag: str) -> bool:
    """Whether the client says that it has the version of this ETag."""
    known = [one.strip() for one in request.headers.get("if-none-match", "").split(",")]
    return "*" in known or tag in [one.removeprefix("W/") for one in known]


def _part(given: str, size_bytes: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None for a part that the file does not have."""
    asked = _ONE_PART.fullmatch(given)
    if asked is None or given == "bytes=-":
        return 0, size_bytes
    first, last = asked.groups()
    if not first:
        return (max(0, size_bytes - int(last)), size_bytes) if int(last) and size_bytes else None
    start, stop = int(first), min(int(last) + 1 if last else size_bytes, size_bytes)
    return (start, stop) if start < stop else None


def _blocks(stream: BinaryIO, start: int, stop: int) -> Iterator[bytes]:
    with stream:
        stream.seek(start)
        left = stop - start
        while left:
            block = stream.read(min(BLOCK_BYTES, left))
            if not block:
                raise OSError("a file became shorter while it was sent")
            left -= len(block)
            yield block
