"""What every request and every answer must have, whatever its route."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scopezoo.serving.cross_origin import ANY, is_shared
from scopezoo.serving.errors import HttpError, error_body

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self' blob:; font-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Guard:
    """ASGI middleware: security headers on answers, and no requests that another site's page makes.

    `hosts` are the names that the server may be called by beside loopback ones, None for any: a
    server without tokens answers to no others, so that no site can point a name of its own at it.
    Pages of `origins` may read datasets.
    """

    def __init__(
        self, app: ASGIApp, hosts: frozenset[str] | None, origins: frozenset[str] = frozenset()
    ) -> None:
        self.app = app
        self.hosts = hosts
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["headers"] = [h for h in scope["headers"] if h[0] != b"range" or _is_bytes(h[1])]
        headers = dict(scope["headers"])

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                message["headers"] += [h for h in HEADERS if h[0] not in present]
            await send(message)

        refusal = self._refusal(headers, scope["path"])
        if refusal is not None:
            response = JSONResponse(error_body(refusal, scope["path"]), refusal.status)
            await response(scope, receive, guarded_send)
            return
        await self.app(scope, receive, guarded_send)

    def _refusal(self, headers: dict[bytes, bytes], path: str) -> HttpError | None:
        host = headers.get(b"host", b"").decode("latin-1")
        name = _name(host)
        if self.hosts is not None and not (is_loopback(name) or name in self.hosts):
            return HttpError(
                403,
                "Forbidden",
                f"this server is not called {name[:100]!r}: without tokens it answers to localhost "
                "alone, and to each --allowed-host that its operator names",
            )
        origin = headers.get(b"origin")
        if origin is None or self._is_allowed(origin.decode("latin-1"), path):
            return None
        if _place(origin.decode("latin-1")) != host:
            return HttpError(
                403,
                "Forbidden",
                f"a page of {origin.decode('latin-1')[:100]!r} may not call this server, which the "
                f"request calls {host[:100]!r}; a proxy before it must pass the header Host on",
            )
        return None

    def _is_allowed(self, origin: str, path: str) -> bool:
        return is_shared(path) and bool(self.origins & {origin, ANY})


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_bytes(value: bytes) -> bool:
    """Whether a Range is one of bytes; one of another unit is to be ignored (RFC 9110, 14.2)."""
    return value.strip().lower().startswith(b"bytes=")


def _place(origin: str) -> str | None:
    """Host and port of an origin; None for what is none, such as "null"."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def _name(host: str) -> str:
    """The host without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
