"""What went wrong, as an HTTP answer."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from scopezoo.errors import (
    ImageError,
    IncompatibleImageError,
    MissingDependencyError,
    ModelNotFoundError,
    ScopezooError,
    StoppedError,
    UnsafePackageError,
    UntrustedError,
    UsageError,
)

_STATUS: tuple[tuple[type[ScopezooError], int], ...] = (
    (UsageError, 400),
    (ModelNotFoundError, 404),
    (IncompatibleImageError, 422),
    (ImageError, 422),
    (UntrustedError, 403),
    (UnsafePackageError, 422),
    (MissingDependencyError, 501),
    (StoppedError, 503),
)
"""Errors by what they ask of the client; others are the server's own trouble, 500."""


class HttpError(Exception):
    """An answer that is no error of scopezoo's own: not allowed, too large, busy."""

    def __init__(
        self, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.headers = dict(headers or {})


class BusyError(HttpError):
    """The queue is full: come back in `retry_after_s`."""

    def __init__(self, retry_after_s: float) -> None:
        after = max(1, round(retry_after_s))
        super().__init__(
            503,
            "Busy",
            f"the server has as much to do as it takes on; try again in {after} s",
            {"Retry-After": str(after)},
        )


def too_large(found: str, limit_bytes: int) -> HttpError:
    """413, with what was found and what is allowed."""
    return HttpError(413, "TooLarge", f"{found}; at most {limit_bytes} bytes are taken")


def is_full(error: BaseException | None) -> bool:
    """Whether an error is one of a full disk, or comes from one."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    return False


def as_http_error(error: Exception) -> HttpError:
    """Any exception as an answer: what the client can do something about says so."""
    if isinstance(error, HttpError):
        return error
    if is_full(error):
        message = "the server's disk is full; its operator must make room"
        return HttpError(503, "Busy", message, {"Retry-After": "600"})
    if isinstance(error, MemoryError):
        return HttpError(
            503, "Busy", "not enough memory now; try again, or a smaller tile", {"Retry-After": "5"}
        )
    if isinstance(error, ScopezooError):
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
        headers = {"Retry-After": "5"} if status == 503 else {}
        return HttpError(status, type(error).__name__, " ".join(str(error).split()), headers)
    return HttpError(500, "InternalError", "the server failed; its log has the request's id")


def error_body(error: HttpError, path: str) -> dict[str, Any]:
    """The JSON of an error: its text alone where `path` is of the Open Inference Protocol."""
    if path == "/v2" or path.startswith("/v2/"):
        return {"error": str(error)}
    return {"error": {"type": error.kind, "message": str(error)}}


async def answer_error(request: Request, error: Exception) -> Response:
    """The handler of every expected error."""
    found = as_http_error(error)
    return JSONResponse(error_body(found, request.url.path), found.status, found.headers)
