"""Memory for the bodies of requests that wait or run."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """`total_bytes` that requests share, first come, first served; those that find none wait.

    For one event loop.
    """

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self._free_bytes = total_bytes
        self._waiting: deque[tuple[int, asyncio.Event]] = deque()

    @asynccontextmanager
    async def taken(self, size_bytes: int) -> AsyncIterator[None]:
        """Room for `size_bytes`, at most `total_bytes`, until the block ends."""
        await self._take(size_bytes)
        try:
            yield
        finally:
            self._free_bytes += size_bytes
            self._let_in()

    async def _take(self, size_bytes: int) -> None:
        come_in = asyncio.Event()
        place = (size_bytes, come_in)
        self._waiting.append(place)
        self._let_in()
        try:
            await come_in.wait()
        except asyncio.CancelledError:
            if come_in.is_set():
                self._free_bytes += size_bytes
            else:
                self._waiting.remove(place)
            self._let_in()
            raise

    def _let_in(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free_bytes:
            size_bytes, come_in = self._waiting.popleft()
            self._free_bytes -= size_bytes
            come_in.set()
