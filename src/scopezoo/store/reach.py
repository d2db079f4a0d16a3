"""Which servers may be asked for files, and whether they can be reached, told within seconds.

What the operator named himself (a URL he typed, an address he set) may lie in his own network and,
there, be plain HTTP. Whatever a server or a package names in turn must be HTTPS at a public
address, so that nothing inside the operator's network is asked on a stranger's word.
"""

from __future__ import annotations

import ipaddress
import socket
import urllib.request
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from scopezoo.errors import DownloadError

CONNECT_S = 5.0
"""Time for a name to be found, and for a server to be reached; past it this machine is offline."""
ADDRESS_S = 2.0
"""The same for one of several addresses of a server."""

T = TypeVar("T")


class Origin(NamedTuple):
    """Whom a URL asks."""

    scheme: str
    host: str
    port: int


def origin(url: str) -> Origin:
    """Whom a URL asks. Raises DownloadError for what is no http(s) URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise DownloadError(f"{url!r} is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DownloadError(f"{url!r} is no URL that starts with https://")
    return Origin(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80))


def reach(server: Origin, is_named: bool) -> None:
    """Raises DownloadError for a server that may not be asked, or does not answer soon."""
    addresses = _addresses(server)
    problem = address_problem(server.scheme, addresses, is_named)
    if problem:
        raise DownloadError(f"{server.scheme}://{server.host} is not asked: {problem}")
    if addresses and not _is_proxied(server):
        _within(CONNECT_S, server.host, lambda: _connect(addresses, server.port))


def address_problem(scheme: str, addresses: Iterable[str], is_named: bool) -> str | None:
    """Why a server at these IP addresses may not be asked; None if it may.

    Between this look and the connection a name may come to mean another address, but a server
    inside has no certificate for a stranger's name.
    """
    private = [a for a in addresses if not ipaddress.ip_address(a.split("%")[0]).is_global]
    if private and not is_named:
        return f"it is at {private[0]}, in your own network; if you mean it, give its URL yourself"
    if scheme != "https" and not private:
        return "expected https://"
    return None


def offline_text(host: str, error: object) -> str:
    """What to say of a server that cannot be reached."""
    return (
        f"{host} cannot be reached ({error}): is this machine online? "
        "What was pulled before runs without a network"
    )


def _is_proxied(server: Origin) -> bool:
    """Whether the environment sends this by a proxy, which then looks up the name."""
    proxies = urllib.request.getproxies()
    has_proxy = bool(proxies.get(server.scheme) or proxies.get("all"))
    return has_proxy and not urllib.request.proxy_bypass(server.host)


def _addresses(server: Origin) -> list[str]:
    """IP addresses of a server; none where a proxy will look them up."""
    try:
        return [str(ipaddress.ip_address(server.host))]
    except ValueError:
        if _is_proxied(server):
            return []
    found = _within(
        CONNECT_S,
        server.host,
        lambda: socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM),
    )
    return list(dict.fromkeys(str(info[4][0]) for info in found))


def _connect(addresses: Iterable[str], port: int) -> None:
    problem: OSError | None = None
    for address in addresses:
        try:
            socket.create_connection((address, port), ADDRESS_S).close()
            return
        except OSError as error:
            problem = error
    if problem:
        raise problem


def _within(limit_s: float, host: str, work: Callable[[], T]) -> T:
    """`work()`, or DownloadError after `limit_s`: looking up a name has no time limit of its own,
    and a server with many addresses multiplies that of a connection.
    """
    answers: SimpleQueue[tuple[T | None, Exception | None]] = SimpleQueue()

    def run() -> None:
        try:
            answers.put((work(), None))
        except Exception as error:  # getaddrinfo raises OSError and UnicodeError
            answers.put((None, error))

    Thread(target=run, daemon=True).start()
    try:
        value, error = answers.get(timeout=limit_s)
    except Empty:
        raise DownloadError(offline_text(host, f"no answer for {limit_s:.0f} s")) from None
    if error is not None:
        raise DownloadError(offline_text(host, error)) from error
    return value  # type: ignore[return-value] # None only where T is
