"""Predictions that people wait for: a bounded queue before a few threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from scopezoo.errors import StoppedError
from scopezoo.serving.errors import BusyError, HttpError
from scopezoo.serving.metrics import Metrics

T = TypeVar("T")
CLIENT_CHECK_S = 0.5
"""How often it is looked whether the client of a running prediction is still there."""
STOPPING = "the server stops; send the request again later"
FIRST_GUESS_S = 1.0
"""What a prediction is taken to last before one has been seen."""


class Stop:
    """Tells a running prediction that nobody waits for it any more."""

    def __init__(self) -> None:
        self._reason = ""

    def set(self, reason: str) -> None:
        """From now on `check` raises."""
        self._reason = self._reason or reason

    def check(self) -> None:
        """Raise StoppedError if the prediction is to end; call it between tiles."""
        if self._reason:
            raise StoppedError(self._reason)


class Runner:
    """Runs functions in `workers` threads; at most `queue` more requests wait."""

    def __init__(self, workers: int, queue: int, time_limit_s: float, metrics: Metrics) -> None:
        self.workers = workers
        self.queue = queue
        self.time_limit_s = time_limit_s
        self.metrics = metrics
        self._admitted = 0
        self._typical_s = FIRST_GUESS_S
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="predict")
        self._running: set[Stop] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._ending = False  # of what runs, and of what a thread takes yet

    @property
    def is_closing(self) -> bool:
        """Whether the server stops and takes no more."""
        return self._closing

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Room in the queue for one request, from before its body is read.

        Raises BusyError where there is none.
        """
        if self._closing or self._admitted >= self.workers + self.queue:
            raise BusyError(self._typical_s * (1 + self._admitted / self.workers))
        self._admitted += 1
        self.metrics.queue.set(self._admitted)
        try:
            yield
        finally:
            self._admitted -= 1
            self.metrics.queue.set(self._admitted)

    async def run(
        self,
        function: Callable[[Stop], T],
        *,
        is_gone: Callable[[], Awaitable[bool]] | None = None,
    ) -> T:
        """What `function` gives, called in a thread when one is free.

        Raises HttpError 504 past the time limit; the thread ends at the next `stop.check()`.
        `is_gone` says whether the client has left, which stops the function too.
        """
        stop = Stop()
        future = self._threads.submit(self._timed, function, stop)
        waiting: asyncio.Future[T] = asyncio.wrap_future(future)
        try:
            return await self._wait(waiting, stop, is_gone)
        except asyncio.CancelledError:
            stop.set("the client is gone")
            raise
        finally:
            future.cancel()
            await _ended(future)

    async def _wait(
        self,
        waiting: asyncio.Future[T],
        stop: Stop,
        is_gone: Callable[[], Awaitable[bool]] | None,
    ) -> T:
        deadline = time.monotonic() + self.time_limit_s
        while True:
            done, _ = await asyncio.wait([waiting], timeout=CLIENT_CHECK_S)
            if waiting.cancelled():  # by `stop`, before it began
                raise StoppedError(STOPPING)
            if done:
                return waiting.result()
            if time.monotonic() > deadline:
                stop.set("the time limit of the server is over")
                raise HttpError(
                    504,
                    "Timeout",
                    f"it took longer than the {self.time_limit_s:g} s that this server allows; "
                    "send it as a job",
                )
            if is_gone is not None and await is_gone():
                stop.set("the client is gone")

    def _timed(self, function: Callable[[Stop], T], stop: Stop) -> T:
        with self._lock:
            self._running.add(stop)
            if self._ending:
                stop.set(STOPPING)
        started = time.monotonic()
        try:
            stop.check()
            return function(stop)
        finally:
            self._typical_s += 0.2 * (time.monotonic() - started - self._typical_s)
            with self._lock:
                self._running.discard(stop)

    async def stop(self, grace_s: float) -> None:
        """Take no more, let what runs finish for `grace_s`, then end it at its next tile."""
        self._closing = True
        deadline = time.monotonic() + grace_s
        while self._running and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        with self._lock:
            self._ending = True
            for stop in self._running:
                stop.set(STOPPING)
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)


async def _ended(future: Future[Any]) -> None:
    """Wait until the thread has left the function: its files must not vanish under it."""
    while not future.done():
        await asyncio.sleep(0.01)
