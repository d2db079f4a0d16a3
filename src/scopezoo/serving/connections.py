"""How uvicorn is run: heads of requests are bounded, and a stop is told to who waits."""

from __future__ import annotations

import asyncio
from socket import socket

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from scopezoo.serving.runner import Runner

MAX_HEAD_BYTES = 64 * 1024
"""Of a request's line and headers; the parser has no limit of its own."""


class BoundedHeads(HttpToolsProtocol):
    """Gives up a client whose head is too large."""

    _head_bytes: int | None = 0  # None while a body comes

    def data_received(self, data: bytes) -> None:
        if self._head_bytes is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if (self._head_bytes or 0) > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head_bytes = 0  # of the next


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
