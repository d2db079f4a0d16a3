"""The lane runs one job at a time and outlives all of them."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scopezoo.errors import FileError, ImageError
from scopezoo.serving.jobs import lane as lane_module
from scopezoo.serving.jobs.database import Database
from scopezoo.serving.jobs.failures import FULL
from scopezoo.serving.jobs.lane import MAX_TRIES, Lane, Work
from scopezoo.serving.jobs.store import Job, JobStore, Outcome


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    database = Database(tmp_path / "jobs.sqlite")
    yield JobStore(database)
    database.close()


class Tiles:
    """Work of many tiles that goes on when it is told to, and notes what is given up."""

    def __init__(self, store: JobStore) -> None:
        self.store = store
        self.go = threading.Event()
        self.running = threading.Event()
        self.discarded: list[str] = []

    def work(
        self, job: Job, check: Callable[[], None], progress: Callable[[int, int], None]
    ) -> Outcome:
        del check
        for tile in range(job.done, 1000):
            progress(tile + 1, 1000)
            self.running.set()
            if not self.go.is_set():
                time.sleep(0.005)
        return Outcome("done", warnings=["slow"], objects=3)

    def lane(self, work: Work | None = None) -> Lane:
        return Lane(self.store, work or self.work, self.discarded.append, 100.0)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def state(store: JobStore, name: str) -> str | None:
    job = store.get(name)
    return None if job is None else job.state


def test_jobs_run_one_after_another(store: JobStore) -> None:
    tiles = Tiles(store)
    tiles.go.set()
    first = store.add("ann", "m", {}).id
    lane = tiles.lane()
    lane.start()
    second = store.add("ann", "m", {}).id
    lane.wake()
    until(lambda: store.count(state="done") == 2)
    jobs = [store.get(first), store.get(second)]
    assert all(job is not None and job.done == job.total == 1000 for job in jobs)
    assert jobs[0] is not None
    assert (jobs[0].warnings, jobs[0].objects) == (["slow"], 3)
    assert lane.close(20)
    assert tiles.discarded == []


def test_a_stop_parks_the_job_and_it_goes_on(store: JobStore) -> None:
    tiles = Tiles(store)
    name = store.add("ann", "m", {}).id
    lane = tiles.lane()
    lane.start()
    assert tiles.running.wait(20)
    until(lambda: lane.seconds_left(name) is not None)
    assert lane.close(20)
    job = store.get(name)
    assert job is not None
    assert (job.state, job.tries) == ("queued", 0)
    assert 0 < job.done < 1000
    tiles.go.set()
    again = tiles.lane()
    again.start()
    until(lambda: state(store, name) == "done")
    assert again.close(20)
    assert tiles.discarded == []


@pytest.mark.parametrize("deleted", [False, True])
def test_a_running_job_is_cancelled_or_deleted(store: JobStore, deleted: bool) -> None:
    tiles = Tiles(store)
    name = store.add("ann", "m", {}).id
    lane = tiles.lane()
    lane.start()
    assert tiles.running.wait(20)
    if deleted:
        store.remove(name)
    else:
        store.cancel(name, 10)
    assert lane.end(name, "cancelled")
    assert not lane.end("other", "cancelled")
    until(lambda: tiles.discarded == [name])
    assert state(store, name) == (None if deleted else "cancelled")
    next_one = store.add("ann", "m", {}).id
    tiles.go.set()
    lane.wake()
    until(lambda: state(store, next_one) == "done")
    assert lane.close(20)


def full_disk() -> Exception:
    error = FileError("the disk of /srv/jobs/1 is full")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    return error


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ImageError("a.tif is\n empty"), "ImageError", "a.tif is empty"),
        (full_disk(), "FileError", FULL),
        (MemoryError(), "RuntimeFailedError", "not enough memory"),
        (ZeroDivisionError("secret"), "InternalError", "the server failed"),
    ],
)
def test_a_failure_is_told_and_the_lane_goes_on(
    store: JobStore, error: Exception, kind: str, message: str
) -> None:
    tiles = Tiles(store)

    def work(job: Job, _check: object, _progress: object) -> Outcome:
        if job.model == "bad":
            raise error
        return Outcome("done")

    bad, good = store.add("ann", "bad", {}).id, store.add("ann", "good", {}).id
    lane = tiles.lane(work)
    lane.start()
    until(lambda: state(store, good) == "done")
    job = store.get(bad)
    assert job is not None
    assert job.state == "failed"
    assert job.error is not None
    assert job.error["type"] == kind
    assert message in job.error["message"]
    assert "secret" not in job.error["message"]
    assert tiles.discarded == [bad]
    assert lane.close(20)


def test_a_job_that_kills_the_server_is_given_up(store: JobStore) -> None:
    tiles = Tiles(store)
    name = store.add("ann", "m", {}).id
    for _ in range(MAX_TRIES):
        assert store.take() is not None  # and then the server is killed
        store.requeue()
    lane = tiles.lane()
    lane.start()
    until(lambda: state(store, name) == "failed")
    job = store.get(name)
    assert job is not None
    assert job.error is not None
    assert "smaller tile" in job.error["message"]
    assert lane.close(20)


def test_the_lane_outlives_its_own_store(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "RETRY_S", 0.01)
    tiles = Tiles(store)
    tiles.go.set()
    finish, failures = store.finish, iter([OSError("disk"), OSError("disk")])
    requeue, more = store.requeue, iter([OSError("disk"), OSError("disk")])

    def requeue_sometimes() -> None:
        for error in more:
            raise error
        requeue()

    monkeypatch.setattr(store, "requeue", requeue_sometimes)

    def sometimes(name: str, outcome: Outcome, keep_s: float) -> bool:
        for error in failures:
            raise error
        return finish(name, outcome, keep_s)

    monkeypatch.setattr(store, "finish", sometimes)
    name = store.add("ann", "m", {}).id
    lane = tiles.lane()
    lane.start()
    until(lambda: state(store, name) == "done")
    assert lane.close(20)
