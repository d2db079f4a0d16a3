"""The lane: one thread that runs one job after another, beside the predictions people wait for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from scopezoo.errors import ScopezooError, StoppedError
from scopezoo.serving.jobs.failures import said
from scopezoo.serving.jobs.store import Job, JobStore, Outcome
from scopezoo.serving.jobs.time_left import TimeLeft
from scopezoo.serving.runner import Stop

LOGGER = logging.getLogger("scopezoo.serving.jobs")
MAX_TRIES = 10
"""Starts without a finished tile between them; a job that kills the server must not do so forever.
"""
SAVE_S = 0.5
"""How often progress goes to the disk."""
RETRY_S = 5.0
"""After a failure of the lane itself, such as a full disk under the database."""

Work = Callable[[Job, Callable[[], None], Callable[[int, int], None]], Outcome]
"""Runs a job, with a function that raises StoppedError to end it, and one that takes progress."""


class Lane:
    """Runs the jobs of `store` by `work`. What a job that ends without a result left is given to
    `discard`; results are kept for `keep_s`.
    """

    def __init__(
        self, store: JobStore, work: Work, discard: Callable[[str], None], keep_s: float
    ) -> None:
        self._store = store
        self._work = work
        self._discard = discard
        self._keep_s = keep_s
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._current: tuple[str, Stop, TimeLeft] | None = None
        self._thread = threading.Thread(target=self._loop, name="jobs", daemon=True)

    def start(self) -> None:
        """Go on with what an earlier server left, and take what comes."""
        self._thread.start()

    def wake(self) -> None:
        """There is a new job."""
        self._wake.set()

    def end(self, name: str, reason: str) -> bool:
        """End a job at its next tile, if it is the one that runs; False if it is not."""
        with self._lock:
            if self._current is None or self._current[0] != name:
                return False
            self._current[1].set(reason)
            return True

    def seconds_left(self, name: str) -> float | None:
        """Of the job that runs; None for another, and before there is a rate."""
        with self._lock:
            if self._current is None or self._current[0] != name:
                return None
            return self._current[2].seconds(time.monotonic())

    def park(self) -> None:
        """Park the job that runs at its next tile, and take no more."""
        self._closing.set()
        self._wake.set()
        with self._lock:
            if self._current is not None:
                self._current[1].set("the server stops; the job goes on when it is started again")

    def close(self, wait_s: float) -> bool:
        """Park the job that runs, and end the thread; False if that took longer than `wait_s`."""
        self.park()
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        is_clean = False  # whether nothing is marked as running that does not run
        while not self._closing.is_set():
            try:
                if not is_clean:
                    self._store.requeue()
                    is_clean = True
                self._wake.clear()
                job = self._store.take()
                if job is None:
                    self._wake.wait()
                else:
                    self._run(job)
            except Exception:  # the lane must outlive whatever happens to a job
                LOGGER.exception("the lane of jobs failed")
                is_clean = False
                self._closing.wait(RETRY_S)

    def _run(self, job: Job) -> None:
        stop, left = Stop(), TimeLeft()
        with self._lock:
            self._current = (job.id, stop, left)
        try:
            if self._closing.is_set() or not self._store.is_running(job.id):
                stop.set("ended between the taking of the job and now")
            outcome = self._outcome(job, stop, left)
        finally:
            with self._lock:
                self._current = None
        if outcome is None and self._store.park(job.id):
            return
        if outcome is None or outcome.state == "failed":
            self._discard(job.id)  # first: the disk may be full
        if outcome is not None and not self._store.finish(job.id, outcome, self._keep_s):
            self._discard(job.id)

    def _outcome(self, job: Job, stop: Stop, left: TimeLeft) -> Outcome | None:
        """How the job ended; None where it was stopped."""
        saved_s = 0.0

        def progress(done: int, total: int) -> None:
            nonlocal saved_s
            now_s = time.monotonic()
            with self._lock:
                left.mark(now_s, done, total)
            if now_s - saved_s > SAVE_S or done == total:
                self._store.progress(job.id, done, total)
                saved_s = now_s
            stop.check()

        try:
            stop.check()
            if job.tries > MAX_TRIES:
                return Outcome("failed", error=("RuntimeFailedError", _GIVEN_UP))
            return self._work(job, stop.check, progress)
        except StoppedError:
            return None
        except Exception as error:  # a job's failure, whatever it is, is told in its state
            if self._closing.is_set():  # as the interpreter ends, anything may fail
                return None
            if not isinstance(error, ScopezooError):
                LOGGER.exception("job %s failed", job.id)
            return Outcome("failed", error=said(error))


_GIVEN_UP = (
    f"the server ended {MAX_TRIES} times while it worked on this job, maybe for want of memory; "
    "try a smaller tile"
)
