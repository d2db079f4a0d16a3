"""Pages of other sites that the operator allows to read datasets: CORS, off by default."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from scopezoo.errors import UsageError
from scopezoo.serving.datasets_entries import BASE

ANY = "*"
SENT = ("Authorization", "If-Match", "If-None-Match", "If-Range", "Range")
SEEN = ("Accept-Ranges", "Content-Length", "Content-Range", "ETag", "Last-Modified")
REMEMBERED_S = 600


class CrossOrigin:
    """ASGI middleware: what browsers must be told where datasets may be read by other pages."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        self._app = app
        self._shared = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=("GET", "HEAD"),
            allow_headers=SENT,
            expose_headers=SEEN,
            max_age=REMEMBERED_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._shared if scope["type"] == "http" and is_shared(scope["path"]) else self._app
        await app(scope, receive, send)


def is_shared(path: str) -> bool:
    """Whether pages of other sites may be allowed to read this."""
    return path == BASE or path.startswith(f"{BASE}/")


def parse_origin(text: str) -> str:
    """An origin as browsers send it, or `*` for any. Raises UsageError for another form."""
    if text == ANY:
        return text
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError as error:
        raise UsageError(f"--allowed-origin {text!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise UsageError(
            f"--allowed-origin {text!r}: expected https://HOST, without a path, or * for any site"
        )
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{name}{port}"
