"""Keeps the network away from this process, and remembers who asked for it."""

from __future__ import annotations

import sys
from typing import Any

_EVENTS = frozenset(
    {
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "socket.sendto",
        "socket.sendmsg",
    }
)
_attempts: list[str] = []


def block_network() -> None:
    """From here on every use of a socket raises OSError; it cannot be taken back.

    An audit hook (PEP 578) sees what goes through Python, whichever library asks.
    """
    sys.addaudithook(_refuse)


def network_attempts() -> tuple[str, ...]:
    """What was asked of the network since it was blocked."""
    return tuple(_attempts)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS:
        target = next((str(a) for a in arguments if isinstance(a, str | tuple)), "")
        _attempts.append(f"{event} {target}".strip())
        raise OSError(f"{event} {target}: the network is off while a package is validated")
