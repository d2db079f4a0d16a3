"""A file on a server, read in parts where it lies, as `zipfile` reads one."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from scopezoo.errors import DownloadError, UnsafePackageError
from scopezoo.store.download import Web

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PART_BYTES = 2 << 20
"""Asked for at once: few requests for neighbours, and little for nothing."""
MAX_READ_BYTES = 64 << 20
"""Most that may be wanted in one piece: the directory of a zip with half a million files."""


class RangedFile(io.RawIOBase):
    """A file behind a URL. Every read is a request: put a BoundedReader before it."""

    def __init__(self, web: Web, url: str, total_bytes: int, tag: str) -> None:
        self._web = web
        self._url = url
        self._size = total_bytes
        self._tag = tag
        self._at = 0

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
        stop = min(self._at + len(view), self._size)
        if stop <= self._at:
            return 0
        part = self._web.part(self._url, self._at, stop, self._tag)
        if part is None or part.total_bytes != self._size:
            raise DownloadError(f"{self._url} was changed meanwhile; the same command starts anew")
        view[: len(part.content)] = part.content
        self._at += len(part.content)
        return len(part.content)


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
