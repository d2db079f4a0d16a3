"""The SQLite file that jobs and uploads live in."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scopezoo.errors import FileError
from scopezoo.serving.errors import HttpError

VERSION = 1
"""Of the tables below; a file of another version is refused."""

_TABLES = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    model TEXT NOT NULL,
    request TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    tries INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    started REAL,
    finished REAL,
    expires REAL,
    error_type TEXT,
    error_message TEXT,
    warnings TEXT NOT NULL DEFAULT '[]',
    files TEXT NOT NULL DEFAULT '[]',
    objects INTEGER
);
CREATE INDEX jobs_by_state ON jobs (state, number);
CREATE INDEX jobs_by_owner ON jobs (owner, number);
CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    filename TEXT NOT NULL,
    length INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    expires REAL NOT NULL
);
CREATE TABLE job_uploads (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    upload TEXT NOT NULL
);
CREATE INDEX job_uploads_by_upload ON job_uploads (upload);
"""


class Database:
    """One connection that all threads share, one at a time.

    The file is this process' alone until `close`. Raises FileError where another has it, or where
    it is of another version or no such file.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        try:
            self._connection = sqlite3.connect(
                path, timeout=1, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            self._open()
        except sqlite3.DatabaseError as error:
            raise FileError(_reason(path, error)) from error

    def _open(self) -> None:
        # exclusive: two servers on one folder would run each job twice
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        with self.transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _TABLES.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
            elif version != VERSION:
                raise sqlite3.DatabaseError(f"its tables are of version {version}, not {VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that the block does, or nothing of it; HttpError 503 where the disk is full."""
        with self._lock, _full_told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """What a query finds."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row that a query finds."""
        with self._lock:
            found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
            return found

    def change(self, sql: str, *values: Any) -> int:
        """Do one statement; gives how many rows it changed. Raises HttpError 503 as above."""
        with self._lock, _full_told():
            return self._connection.execute(sql, values).rowcount

    def close(self) -> None:
        with self._lock:
            self._connection.close()


@contextmanager
def _full_told() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise
        message = "the server's disk is full; its operator must make room"
        raise HttpError(503, "Busy", message, {"Retry-After": "600"}) from error


def _reason(path: Path, error: sqlite3.DatabaseError) -> str:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
        return f"{path} is in use by another server; give each server a folder of its own"
    return f"{path} cannot be used: {error}; move it away to start with no jobs"
