"""Jobs as rows: one at a time leaves the queue, fairly, and nothing is lost or done twice."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.errors import FileError
from scopezoo.serving.errors import HttpError
from scopezoo.serving.jobs.database import Database
from scopezoo.serving.jobs.store import STATES, JobStore, Outcome


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "jobs.sqlite")
    yield database
    database.close()


def test_each_job_is_taken_once_by_any_number_of_threads(database: Database) -> None:
    store = JobStore(database)
    with ThreadPoolExecutor(8) as threads:
        added = list(threads.map(lambda i: store.add(f"u{i % 3}", "m", {"i": i}).id, range(60)))
        start = threading.Barrier(8)

        def take_all(_: int) -> list[str]:
            start.wait()
            found = []
            while (job := store.take()) is not None:
                store.progress(job.id, 1, 2)
                store.finish(job.id, Outcome("done"), 10)
                found.append(job.id)
            return found

        taken = [name for part in threads.map(take_all, range(8)) for name in part]
    assert sorted(taken) == sorted(added)
    assert store.count(state="done") == 60


def test_owners_take_turns_and_what_was_begun_comes_first(database: Database) -> None:
    store = JobStore(database)
    ann = [store.add("ann", "m", {}).id for _ in range(3)]
    bob = [store.add("bob", "m", {}).id for _ in range(2)]
    first, second = store.take(), store.take()
    assert first is not None
    assert second is not None
    assert (first.id, second.id) == (ann[0], bob[0])
    assert store.park(second.id)
    rest = [job.id for _ in range(4) if (job := store.take()) is not None]
    assert rest == [bob[0], ann[1], bob[1], ann[2]]
    assert store.take() is None


def test_only_what_runs_is_finished_and_only_what_has_not_ended_is_cancelled(
    database: Database,
) -> None:
    store = JobStore(database)
    name = store.add("ann", "m", {"a": "é"}, ["u1"]).id
    assert not store.finish(name, Outcome("done"), 1)
    store.take()
    assert store.cancel(name, 100.0)
    assert not store.cancel(name, 100.0)
    assert not store.park(name)
    assert not store.finish(name, Outcome("failed", error=("ImageError", "bad")), 1)
    job = store.get(name)
    assert job is not None
    assert (job.state, job.error, job.request) == ("cancelled", None, {"a": "é"})
    assert job.finished is not None
    assert job.expires == pytest.approx(job.finished + 100)


def test_a_kill_queues_what_ran_and_tries_are_counted(tmp_path: Path) -> None:
    database = Database(tmp_path / "jobs.sqlite")
    name = JobStore(database).add("ann", "m", {}).id
    for expected in (1, 2, 1):
        store = JobStore(database)
        store.requeue()
        job = store.take()
        assert job is not None
        assert job.tries == expected
        if expected == 2:
            store.progress(name, 3, 9)
        database.close()
        database = Database(tmp_path / "jobs.sqlite")
    job = JobStore(database).get(name)
    assert job is not None
    assert (job.state, job.done, job.total) == ("running", 3, 9)
    database.close()


@settings(max_examples=15)
@given(st.lists(st.sampled_from(STATES), max_size=6))
def test_counts_and_expiry(tmp_path_factory: pytest.TempPathFactory, states: list[str]) -> None:
    database = Database(tmp_path_factory.mktemp("db") / "jobs.sqlite")
    store = JobStore(database)
    for state in states:
        name = store.add("ann", "m", {}).id
        database.change("UPDATE jobs SET state = ? WHERE id = ?", state, name)
        if state == "done":
            database.change("UPDATE jobs SET expires = 1 WHERE id = ?", name)
    assert {s: store.count(state=s) for s in STATES} == {s: states.count(s) for s in STATES}
    assert store.count(owner="bob") == 0
    assert len(store.expired()) == states.count("done")
    for name in store.expired():
        store.remove(name)
    assert len(store.of("ann")) == len(states) - states.count("done")
    database.close()


def test_a_full_disk_changes_nothing(database: Database) -> None:
    store = JobStore(database)
    kept = store.add("ann", "m", {}).id
    (pages,) = database.rows("PRAGMA page_count")
    database.rows(f"PRAGMA max_page_count = {pages[0] + 1}")
    with pytest.raises(HttpError, match="disk is full"):
        store.add("ann", "m", {"long": "x" * 100_000})
    assert [job.id for job in store.of(None)] == [kept]
    assert store.take() is not None


def test_a_folder_is_one_servers(tmp_path: Path) -> None:
    first = Database(tmp_path / "jobs.sqlite")
    with pytest.raises(FileError, match="in use by another server"):
        Database(tmp_path / "jobs.sqlite")
    first.close()
    Database(tmp_path / "jobs.sqlite").close()


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("hello" * 1000)
    with pytest.raises(FileError, match="cannot be used"):
        Database(tmp_path / "text.sqlite")
    with sqlite3.connect(tmp_path / "newer.sqlite") as newer:
        newer.execute("PRAGMA user_version = 77")
    newer.close()
    with pytest.raises(FileError, match="version 77"):
        Database(tmp_path / "newer.sqlite")
