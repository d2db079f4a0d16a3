"""Bodies of requests, counted before and while they are taken."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import ClientDisconnect, Request

from scopezoo.serving.errors import HttpError, too_large

READ_TIMEOUT_S = 60.0
"""A client that sends nothing for this long is given up."""
_ENCODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""zlib's window bits by Content-Encoding."""


def declared_length(request: Request, limit_bytes: int) -> int | None:
    """The Content-Length; None where the body comes in chunks.

    Raises HttpError 413 beyond the limit and 400 for what is no length.
    """
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise HttpError(400, "UsageError", f"Content-Length is {text[:40]!r}; expected a number")
    if int(text) > limit_bytes:
        raise too_large(f"the body has {int(text)} bytes", limit_bytes)
    return int(text)


async def chunks(request: Request, limit_bytes: int) -> AsyncIterator[bytes]:
    """The body as it comes.

    Raises HttpError: 413 beyond the limit, 400 where the client leaves before the end, 408 where it
    sends nothing more.
    """
    declared = declared_length(request, limit_bytes)
    taken = 0
    stream = request.stream().__aiter__()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), READ_TIMEOUT_S)
        except StopAsyncIteration:
            break
        except TimeoutError as error:
            raise HttpError(408, "Timeout", "the body did not come") from error
        except ClientDisconnect as error:
            raise HttpError(400, "UsageError", "the client left before the body's end") from error
        taken += len(chunk)
        if taken > limit_bytes:
            raise too_large("the body is larger", limit_bytes)
        yield chunk
    if declared is not None and taken != declared:
        raise HttpError(400, "UsageError", f"{declared} bytes were declared, {taken} came")


async def spool(request: Request, path: Path, limit_bytes: int) -> int:
    """Write the body to `path`; gives its bytes. Raises what `chunks` raises."""
    size = 0
    with path.open("wb") as file:
        async for chunk in chunks(request, limit_bytes):
            size += file.write(chunk)
    return size


async def read_body(request: Request, limit_bytes: int) -> bytes | bytearray:
    """The body in memory, unpacked where Content-Encoding says gzip or deflate.

    Raises what `chunks` raises, for the unpacked size too, 415 for another encoding, 400 for one
    that is damaged.
    """
    body = bytearray()
    async for chunk in chunks(request, limit_bytes):
        body += chunk
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        return body
    if encoding not in _ENCODINGS:
        raise HttpError(415, "UsageError", f"Content-Encoding {encoding[:40]!r}: expected gzip")
    return await asyncio.to_thread(_unpacked, body, _ENCODINGS[encoding], limit_bytes)


def _unpacked(body: bytes | bytearray, window_bits: int, limit_bytes: int) -> bytes:
    unpacker = zlib.decompressobj(window_bits)
    try:
        content = unpacker.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise HttpError(400, "UsageError", f"the packed body is damaged: {error}") from error
    if len(content) > limit_bytes:
        raise too_large("the body unpacks to more", limit_bytes)
    if not unpacker.eof:
        raise HttpError(400, "UsageError", "the packed body is cut off")
    return content
