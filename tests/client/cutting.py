"""A way to a server on which connections break."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class CuttingProxy:
    """Forwards to a port of this machine; the n-th connection breaks after `limits[n]` bytes.

    A limit is (bytes to the server, bytes from it); connections beyond the last live on.
    """

    port: int
    limits: Sequence[tuple[int, int]]
    cuts: int = 0
    sent_bytes: int = 0
    listener: socket.socket = field(default_factory=socket.socket)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        """Until the listener is closed."""
        number = 0
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                limit = self.limits[number] if number < len(self.limits) else (10**12, 10**12)
                number += 1
                try:
                    far = socket.create_connection(("127.0.0.1", self.port))
                except OSError:
                    near.close()
                    continue
                self._start(near, far, limit[0], is_up=True)
                self._start(far, near, limit[1], is_up=False)

    def _start(self, *way: socket.socket | int, is_up: bool) -> None:
        threading.Thread(target=self._pump, args=(*way, is_up), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, most: int, is_up: bool) -> None:
        left = most
        with suppress(OSError):
            while left and (content := source.recv(min(65536, left))):
                target.sendall(content)
                left -= len(content)
                self.sent_bytes += len(content) if is_up else 0
        self.cuts += not left
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def cutting_proxy(address: str, limits: Sequence[tuple[int, int]]) -> Iterator[CuttingProxy]:
    """A proxy before the server at `address`, until the block ends."""
    proxy = CuttingProxy(int(address.rpartition(":")[2]), limits)
    proxy.listener.bind(("127.0.0.1", 0))
    proxy.listener.listen()
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.listener.close()
