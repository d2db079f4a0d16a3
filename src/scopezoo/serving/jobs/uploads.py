"""Files that clients send in parts: what is on the disk is what was received.

The offset of an upload is the size of its file, so that a kill at any moment loses nothing that
was acknowledged and invents nothing.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scopezoo.serving.errors import HttpError, too_large
from scopezoo.serving.jobs.database import Database
from scopezoo.serving.jobs.naming import safe_name

PARTIAL_KEEP_S = 86400.0
"""An upload that gets no part for this long is given up."""
SPARE_BYTES = 200_000_000
"""What uploads leave free on the disk."""


MAX_OWN = 10_000
"""Uploads that one caller may have, whole ones included: each takes files, whatever its length."""


@dataclass(frozen=True)
class Upload:
    """A file that is being sent, or is whole. `metadata` is the client's header, to give back."""

    id: str
    owner: str
    filename: str
    length: int
    metadata: str
    expires: float
    path: Path

    @property
    def offset(self) -> int:
        """Bytes received. Raises HttpError 404 where the file is gone."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError as error:
            raise no_upload(self.id) from error


class Uploads:
    """All uploads of a server, in `folder`; safe to share between threads.

    One upload may have `max_bytes`, all together `quota_bytes`; one that is whole is kept for
    `keep_s`, and longer while a job needs it.
    """

    def __init__(
        self, folder: Path, database: Database, max_bytes: int, quota_bytes: int, keep_s: float
    ) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._database = database
        self._quota_bytes = quota_bytes
        self._keep_s = keep_s
        self._lock = threading.Lock()
        self._claimed: set[str] = set()
        self._coming_bytes = {
            row["id"]: row["length"] - _size(folder / row["id"] / row["filename"])
            for row in database.rows("SELECT id, filename, length FROM uploads")
        }

    def create(self, owner: str, filename: str, length: int, metadata: str = "") -> Upload:
        """Begin an upload of `length` bytes.

        Raises HttpError 413 for one that is too large, 503 where there is no room for it now, or
        the owner has too many.
        """
        if length > self.max_bytes:
            raise too_large(f"the upload has {length} bytes", self.max_bytes)
        name = secrets.token_hex(16)
        with self._lock:
            self._check_number(owner)
            self._check_room(length)
            path = self.folder / name / safe_name(filename)
            try:
                path.parent.mkdir(parents=True)
                path.touch()
            except OSError as error:
                raise _no_room(error.strerror or str(error)) from error
            self._database.change(
                "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?)",
                name,
                owner,
                path.name,
                length,
                metadata,
                time.time() + (PARTIAL_KEEP_S if length else self._keep_s),
            )
            self._coming_bytes[name] = length
        return self.get(name)

    def get(self, name: str) -> Upload:
        """Raises HttpError 404 for an upload that does not exist."""
        row = self._database.row("SELECT * FROM uploads WHERE id = ?", name)
        if row is None:
            raise no_upload(name)
        return Upload(**dict(row), path=self.folder / row["id"] / row["filename"])

    @contextmanager
    def claimed(self, name: str) -> Iterator[None]:
        """No one else writes or removes the upload. Raises HttpError 423 where one does."""
        with self._lock:
            if name in self._claimed:
                raise HttpError(
                    423, "Busy", "another request writes to this upload; ask for its offset again"
                )
            self._claimed.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._claimed.discard(name)

    def append(self, upload: Upload, content: bytes) -> None:
        """Add bytes at the end. Raises HttpError 503 where the disk is full."""
        try:
            with upload.path.open("r+b", buffering=0) as file:
                file.seek(0, os.SEEK_END)
                _write_all(file.fileno(), content)
        except FileNotFoundError as error:
            raise no_upload(upload.id) from error
        except OSError as error:
            raise _no_room(error.strerror or str(error)) from error
        self._coming_bytes[upload.id] = upload.length - upload.offset

    def settle(self, upload: Upload) -> Upload:
        """After a part: bring it to the disk, and give the upload more time."""
        with upload.path.open("rb") as file:
            os.fsync(file.fileno())
        keep_s = self._keep_s if upload.offset == upload.length else PARTIAL_KEEP_S
        self._database.change(
            "UPDATE uploads SET expires = ? WHERE id = ?", time.time() + keep_s, upload.id
        )
        return self.get(upload.id)

    def cut(self, upload: Upload, offset: int) -> None:
        """Take back what came after `offset`."""
        os.truncate(upload.path, offset)
        self._coming_bytes[upload.id] = upload.length - offset

    def remove(self, name: str) -> None:
        """Remove an upload. Raises HttpError 409 where a job needs it."""
        if self._database.row(f"SELECT 1 FROM ({_NEEDED}) WHERE upload = ?", name):
            raise HttpError(409, "UsageError", "a job reads this upload; cancel the job first")
        self._drop(name)

    def sweep(self) -> None:
        """Remove what has expired and no job needs, and folders that no row knows."""
        expired = self._database.rows(
            f"SELECT id FROM uploads WHERE expires < ? AND id NOT IN ({_NEEDED})", time.time()
        )
        for row in expired:
            try:
                with self.claimed(row["id"]):
                    self._drop(row["id"])
            except HttpError:
                continue  # a part comes in at this moment
        with self._lock:  # while nothing is created
            known = {row["id"] for row in self._database.rows("SELECT id FROM uploads")}
            for folder in self.folder.iterdir():
                if folder.name not in known and re.fullmatch("[0-9a-f]{32}", folder.name):
                    shutil.rmtree(folder, ignore_errors=True)

    def _drop(self, name: str) -> None:
        self._database.change("DELETE FROM uploads WHERE id = ?", name)
        shutil.rmtree(self.folder / name, ignore_errors=True)
        self._coming_bytes.pop(name, None)

    def _check_number(self, owner: str) -> None:
        if self._sum("count(*)", "WHERE owner = ?", owner) >= MAX_OWN:
            why = f"you have {MAX_OWN} uploads already; delete some"
            raise HttpError(503, "Busy", why, {"Retry-After": "600"})

    def _check_room(self, length: int) -> None:
        taken = self._sum("sum(length)")
        if taken + length > self._quota_bytes:
            raise _no_room(f"uploads may take {self._quota_bytes} bytes together")
        coming = sum(list(self._coming_bytes.values()))  # a copy: other threads change it
        free = shutil.disk_usage(self.folder).free
        if coming + length + SPARE_BYTES > free:
            raise _no_room("its disk has too little space")

    def _sum(self, what: str, where: str = "", *values: str) -> int:
        row = self._database.row(f"SELECT coalesce({what}, 0) FROM uploads {where}", *values)
        assert row is not None
        return int(row[0])


_NEEDED = (
    "SELECT upload FROM job_uploads JOIN jobs ON jobs.id = job "
    "WHERE jobs.state IN ('queued', 'running')"
)
"""Uploads that unfinished jobs read."""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def no_upload(name: str) -> HttpError:
    return HttpError(404, "NotFound", f"no upload {name[:100]!r}: it has expired, or never was")


def _no_room(why: str) -> HttpError:
    return HttpError(
        503,
        "Busy",
        f"the server has no room for this upload now: {why}; try again later",
        {"Retry-After": "600"},
    )


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
