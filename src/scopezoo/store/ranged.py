"""A file on a server, read in parts where it lies, as `zipfile` reads one."""

from __future__ import annotations

import io
from collections.abc import Generator
from typing import TYPE_CHECKING

from scopezoo.errors import DownloadError, UnsafePackageError
from scopezoo.store.download import Web, changed_text

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PART_BYTES = 1 << 20
"""Asked for where a read does not follow the last one."""
MAX_READ_BYTES = 64 << 20
"""Most that may be wanted in one piece: the directory of a zip with half a million files."""


class RangedFile(io.RawIOBase):
    """A file behind a URL: a part for each read, but one long answer while reads follow each
    other, since hosts count requests. Put a BoundedReader before it.
    """

    def __init__(self, web: Web, url: str, total_bytes: int, tag: str) -> None:
        self._web = web
        self._url = url
        self._size = total_bytes
        self._tag = tag
        self._at = 0
        self._next = -1
        """Where the last read ended."""
        self._rest: Generator[bytes] | None = None
        self._waiting = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a place before the file's start")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Raises DownloadError where the server fails, or has another file by now."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._at)
        if wanted <= 0:
            return 0
        content = self._following(wanted) if self._at == self._next else self._part(wanted)
        view[: len(content)] = content
        self._at = self._next = self._at + len(content)
        return len(content)

    def close(self) -> None:
        self._end_rest()
        super().close()

    def _part(self, wanted: int) -> bytes:
        self._end_rest()
        part = self._web.part(self._url, self._at, self._at + wanted, self._tag)
        if part is None or part.total_bytes != self._size:
            raise DownloadError(changed_text(self._url))
        return part.content

    def _following(self, wanted: int) -> bytes:
        if self._rest is None:
            self._rest = self._web.rest(self._url, self._at, self._size, self._tag)
        if not self._waiting:
            self._waiting = next(self._rest, b"")
            if not self._waiting:
                raise DownloadError(f"{self._url} ended early; the same command goes on from there")
        content, self._waiting = self._waiting[:wanted], self._waiting[wanted:]
        return content

    def _end_rest(self) -> None:
        if self._rest is not None:
            self._rest.close()
        self._rest, self._waiting = None, b""


class BoundedReader(io.BufferedReader):
    """Reads ahead by PART_BYTES, and refuses a read that a lying header asks for."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._size = raw.seek(0, io.SEEK_END)
        raw.seek(0)
        super().__init__(raw, PART_BYTES)

    def read(self, size: int | None = -1, /) -> bytes:
        """Raises UnsafePackageError for more than MAX_READ_BYTES."""
        wanted = self._size - self.tell() if size is None or size < 0 else size
        if wanted > MAX_READ_BYTES:
            raise UnsafePackageError(
                f"a zip's directory of {wanted} bytes; at most {MAX_READ_BYTES} are read"
            )
        return super().read(size)


def open_ranged(web: Web, url: str) -> BoundedReader | None:
    """The file at a URL; None where its server does not send parts. Raises DownloadError."""
    first = web.part(url, 0, 1)
    return (
        None if first is None else BoundedReader(RangedFile(web, url, first.total_bytes, first.tag))
    )
