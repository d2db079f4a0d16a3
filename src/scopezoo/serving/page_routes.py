"""The web page: static files, from the folder `page` beside this module and nowhere else."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from scopezoo.serving.errors import HttpError

PAGE = Path(__file__).parent / "page"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".md": "text/markdown; charset=utf-8",
    ".LICENSE": "text/plain; charset=utf-8",
}

router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=["GET", "HEAD"])
async def index(request: Request) -> Response:
    """The page itself."""
    return _answer(request, "index.html")


@router.api_route("/page/{path:path}", methods=["GET", "HEAD"])
async def asset(request: Request, path: str) -> Response:
    """A file of the page. Raises HttpError 404 for what is none of them."""
    return _answer(request, path)


def _answer(request: Request, path: str) -> Response:
    """A file, or 304 where the client has it; it asks each time, so that updates show at once."""
    found = _files().get(path)
    if found is None:
        raise HttpError(404, "NotFound", f"the page has no file {path[:100]!r}")
    content, etag, media_type = found
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


@cache
def _files() -> dict[str, tuple[bytes, str, str]]:
    """Content, ETag and media type of every file, by its path below `page`."""
    found = {}
    for path in PAGE.rglob("*"):
        media_type = MEDIA_TYPES.get(path.suffix)
        if media_type and path.is_file():
            content = path.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
            found[path.relative_to(PAGE).as_posix()] = (content, etag, media_type)
    return found
