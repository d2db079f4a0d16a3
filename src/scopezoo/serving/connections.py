"""How uvicorn is run: connections and heads of requests are bounded, and a stop is told to who
waits.
"""

from __future__ import annotations

import asyncio
from socket import socket

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from scopezoo.serving.runner import Runner

MAX_HEAD_BYTES = 64 * 1024
"""Of a request's line and headers; the parser has no limit of its own."""


HEAD_TIMEOUT_S = 30.0
"""How long a request's line and headers may take."""
MAX_CONNECTIONS = 500
"""Open at a time; each is a file, of which a process often may have 1024."""
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"


class BoundedHeads(HttpToolsProtocol):
    """Gives up a client whose head is too large or late, and who comes when too many are there."""

    _head_bytes: int | None = 0  # None while a body comes
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.write(_FULL)
            transport.close()
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._late is None:
                self._expect_head()
        super().data_received(data)
        if (self._head_bytes or 0) > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        self._head_came()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head_bytes = 0  # of the next

    def _expect_head(self) -> None:
        self._late = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def _head_came(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._expect_head()  # it waits for an answer; the head is of what it asks next
        else:
            self.transport.close()


class GentleServer(uvicorn.Server):
    """Ends what still runs `grace_s` after the signal to stop, so that it is answered."""

    def __init__(self, config: uvicorn.Config, runner: Runner, grace_s: float) -> None:
        super().__init__(config)
        self._runner = runner
        self._grace_s = grace_s

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        ending = asyncio.create_task(self._runner.stop(self._grace_s))
        await super().shutdown(sockets)
        await ending
