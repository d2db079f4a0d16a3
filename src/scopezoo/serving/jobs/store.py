"""Jobs as rows. Each change of state is one step: a kill at any moment leaves a true one."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from scopezoo.serving.jobs.database import Database

State = Literal["queued", "running", "done", "failed", "cancelled"]
STATES: tuple[State, ...] = get_args(State)
UNFINISHED = "('queued', 'running')"


@dataclass(frozen=True)
class Job:
    """One row. Times are seconds since 1970, None for what has not come yet.

    `request` is what the client asked for; `tries` counts starts since the last finished tile;
    `files` has name, size (bytes) and kind of what it gave.
    """

    id: str
    owner: str
    model: str
    request: dict[str, Any]
    state: State
    tries: int
    done: int
    total: int
    created: float
    started: float | None
    finished: float | None
    expires: float | None
    error: dict[str, str] | None
    warnings: list[str]
    files: list[dict[str, Any]]
    objects: int | None


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    state: Literal["done", "failed"]
    error: tuple[str, str] | None = None
    warnings: Sequence[str] = ()
    files: Sequence[Mapping[str, Any]] = ()
    objects: int | None = None


class JobStore:
    """All jobs of a server; safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, owner: str, model: str, request: dict[str, Any], uploads: Iterable[str] = ()
    ) -> Job:
        """Queue a job that reads the given uploads."""
        name = secrets.token_hex(16)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO jobs (id, owner, model, request, created) VALUES (?, ?, ?, ?, ?)",
                (name, owner, model, json.dumps(request), time.time()),
            )
            connection.executemany(
                "INSERT INTO job_uploads VALUES (?, ?)", [(name, upload) for upload in uploads]
            )
        return cast(Job, self.get(name))

    def get(self, name: str) -> Job | None:
        row = self._database.row("SELECT * FROM jobs WHERE id = ?", name)
        return None if row is None else _job(row)

    def of(self, owner: str | None) -> list[Job]:
        """Jobs of one owner, or of all for None, the newest first."""
        rows = self._database.rows(
            "SELECT * FROM jobs WHERE ?1 IS NULL OR owner = ?1 ORDER BY number DESC", owner
        )
        return [_job(row) for row in rows]

    def count(self, *, owner: str | None = None, state: State | None = None) -> int:
        """How many jobs there are of an owner, or in a state."""
        row = self._database.row(
            "SELECT count(*) FROM jobs "
            "WHERE (?1 IS NULL OR owner = ?1) AND (?2 IS NULL OR state = ?2)",
            owner,
            state,
        )
        assert row is not None
        return int(row[0])

    def take(self) -> Job | None:
        """Start the next job: one that was begun before, else of the owner who waited longest."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT id FROM jobs AS waiting WHERE state = 'queued' ORDER BY started IS NULL, "
                "(SELECT coalesce(max(started), 0) FROM jobs WHERE owner = waiting.owner), number "
                "LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            connection.execute(
                "UPDATE jobs SET state = 'running', tries = tries + 1, "
                "started = coalesce(started, ?) WHERE id = ?",
                (time.time(), row["id"]),
            )
        return self.get(row["id"])

    def is_running(self, name: str) -> bool:
        """False for a job that has ended, or is gone."""
        sql = "SELECT 1 FROM jobs WHERE id = ? AND state = 'running'"
        return self._database.row(sql, name) is not None

    def progress(self, name: str, done: int, total: int) -> None:
        """Note how far a running job is: whatever stopped it before, it goes on."""
        self._database.change(
            "UPDATE jobs SET done = ?, total = ?, tries = 0 WHERE id = ?", done, total, name
        )

    def park(self, name: str) -> bool:
        """Queue a running job again, to go on later; False if it is not running any more."""
        changed = self._database.change(
            "UPDATE jobs SET state = 'queued', tries = 0 WHERE id = ? AND state = 'running'", name
        )
        return changed > 0

    def requeue(self) -> None:
        """Queue what a killed server left running."""
        self._database.change("UPDATE jobs SET state = 'queued' WHERE state = 'running'")

    def finish(self, name: str, outcome: Outcome, keep_s: float) -> bool:
        """End a running job; False if it is not running any more: cancelled, or deleted."""
        now = time.time()
        changed = self._database.change(
            "UPDATE jobs SET state = ?, error_type = ?, error_message = ?, warnings = ?, "
            "files = ?, objects = ?, finished = ?, expires = ? WHERE id = ? AND state = 'running'",
            outcome.state,
            *(outcome.error or (None, None)),
            json.dumps(outcome.warnings),
            json.dumps(outcome.files),
            outcome.objects,
            now,
            now + keep_s,
            name,
        )
        return changed > 0

    def cancel(self, name: str, keep_s: float) -> bool:
        """End a job that is not finished; False if it is."""
        now = time.time()
        changed = self._database.change(
            "UPDATE jobs SET state = 'cancelled', finished = ?, expires = ? "
            f"WHERE id = ? AND state IN {UNFINISHED}",
            now,
            now + keep_s,
            name,
        )
        return changed > 0

    def remove(self, name: str) -> None:
        self._database.change("DELETE FROM jobs WHERE id = ?", name)

    def expired(self) -> list[str]:
        """Ids of the jobs whose time is over."""
        rows = self._database.rows("SELECT id FROM jobs WHERE expires < ?", time.time())
        return [row["id"] for row in rows]

    def with_files(self) -> set[str]:
        """Ids of the jobs that have files, or will."""
        rows = self._database.rows(
            "SELECT id FROM jobs WHERE state IN ('queued', 'running', 'done')"
        )
        return {row["id"] for row in rows}


def _job(row: sqlite3.Row) -> Job:
    fields = dict(row)
    kind, message = fields.pop("error_type"), fields.pop("error_message")
    del fields["number"]
    fields["error"] = None if kind is None else {"type": kind, "message": message}
    for name in ("request", "warnings", "files"):
        fields[name] = json.loads(fields[name])
    return Job(**fields)
