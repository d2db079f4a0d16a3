"""Bodies of requests, counted before and while they are taken."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, TypeVar

from starlette.requests import ClientDisconnect, Request

from scopezoo.serving.errors import HttpError, too_large

T = TypeVar("T")
READ_TIMEOUT_S = 60.0
"""A client that sends nothing for this long is given up."""
SLOWEST_BYTES_S = 10_000.0
"""So is one that sends less than this a second, on the average of all but the first READ_TIMEOUT_S:
whoever sends takes the place of others.
"""
SMALL_BYTES = 2 * 2**20
"""A body up to this size is kept in memory while it comes, a larger one on disk."""
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


class Pace:
    """How long a body is waited for, from now on."""

    def __init__(self) -> None:
        self._started_s = time.monotonic()

    async def wait(self, coming: Awaitable[T], taken_bytes: int) -> T:
        """What comes next, after `taken_bytes`. Raises HttpError 408 where that takes too long."""
        ends_s = self._started_s + READ_TIMEOUT_S + taken_bytes / SLOWEST_BYTES_S
        wait_s = min(READ_TIMEOUT_S, ends_s - time.monotonic())
        try:
            return await asyncio.wait_for(coming, wait_s)
        except TimeoutError as error:
            raise HttpError(408, "Timeout", "the body did not come, or too slowly") from error


async def chunks(request: Request, limit_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body as it comes.

    Raises HttpError: 413 beyond the limit, 400 where the client leaves before the end, 408 where it
    sends nothing more, or hardly anything.
    """
    declared = declared_length(request, limit_bytes)
    taken = 0
    pace = Pace()
    stream = request.stream().__aiter__()
    while True:
        try:
            chunk = await pace.wait(anext(stream), taken)
        except StopAsyncIteration:
            break
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
    with path.open("wb") as file:
        return await _write(request, file, limit_bytes)


async def _write(request: Request, file: IO[bytes], limit_bytes: int) -> int:
    size = 0
    async for chunk in chunks(request, limit_bytes):
        size += file.write(chunk)
    return size


class WaitingBody:
    """A body that has come whole, on disk unless it is small; it takes no memory yet.

    `needed_bytes` is what `read` takes of it at most.
    """

    def __init__(self, file: IO[bytes], size_bytes: int, encoding: str, limit_bytes: int) -> None:
        self._file = file
        self._encoding = encoding
        self._limit_bytes = limit_bytes
        self.needed_bytes = size_bytes + (0 if encoding == "identity" else limit_bytes)

    async def read(self) -> bytes:
        """The body, unpacked as `read_body` does it. Raises what that raises for packed bodies."""
        self._file.seek(0)
        content = await asyncio.to_thread(self._file.read)
        return await _decoded(content, self._encoding, self._limit_bytes)


@asynccontextmanager
async def waiting_body(
    request: Request, folder: Path, limit_bytes: int
) -> AsyncIterator[WaitingBody]:
    """Take the body; its file in `folder` is gone after the block. Raises what `chunks` raises."""
    with SpooledTemporaryFile(SMALL_BYTES, dir=str(folder)) as file:
        size = await _write(request, file, limit_bytes)
        yield WaitingBody(file, size, _encoding(request), limit_bytes)


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The body in memory, unpacked where Content-Encoding says gzip or deflate.

    Raises what `chunks` raises, for the unpacked size too, 415 for another encoding, 400 for one
    that is damaged.
    """
    body = bytearray()
    async for chunk in chunks(request, limit_bytes):
        body += chunk
    return await _decoded(bytes(body), _encoding(request), limit_bytes)


def _encoding(request: Request) -> str:
    return request.headers.get("content-encoding", "identity").strip().lower()


async def _decoded(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    if encoding == "identity":
        return body
    if encoding not in _ENCODINGS:
        raise HttpError(415, "UsageError", f"Content-Encoding {encoding[:40]!r}: expected gzip")
    return await asyncio.to_thread(_unpacked, body, _ENCODINGS[encoding], limit_bytes)


def _unpacked(body: bytes, window_bits: int, limit_bytes: int) -> bytes:
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
