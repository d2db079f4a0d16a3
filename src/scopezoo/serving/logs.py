"""One JSON line per request on stderr, with an id that the answer has too."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scopezoo.errors import StoppedError
from scopezoo.serving.errors import HttpError, as_http_error, error_body
from scopezoo.serving.guard import HEADERS
from scopezoo.serving.metrics import Metrics
from scopezoo.serving.runner import STOPPING

LOGGER = logging.getLogger("scopezoo.serving")
_CLIENT_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
UNKNOWN_ROUTE = "(none)"
"""For addresses that do not exist: they would fill the metrics with labels."""


class JsonLines(logging.Formatter):
    """A log record as one line of JSON; `extra={"fields": {...}}` adds to it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))[-4000:]
        return json.dumps(line, default=str)


def log_to_stderr(quiet: bool = False) -> None:
    """Send what the server has to say to stderr, one JSON object a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("scopezoo.serving", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.WARNING if quiet else logging.INFO)


def _log_failure(scope: Scope, error: Exception) -> None:
    """A failure of the server itself, with its traceback."""
    fields = {"request_id": scope["request_id"], "path": scope["path"][:500]}
    LOGGER.error("the server failed", exc_info=error, extra={"fields": fields})


class Observed:
    """ASGI middleware: request ids, log lines, counters and times."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        try:
            await self.app(scope, receive, observed_send)
        except asyncio.CancelledError:  # the server stops, and waits no longer for a body
            if not status:
                stopped = as_http_error(StoppedError(STOPPING))
                await _answer(stopped, scope, receive, observed_send)
        except Exception as error:  # the last place where it can become an answer
            _log_failure(scope, error)
            if not status:
                await _answer(as_http_error(RuntimeError()), scope, receive, observed_send)
        finally:
            self._note(scope, status or 499, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self.metrics.requests.labels(route, method, str(status)).inc()
        self.metrics.latency.labels(route, method).observe(seconds)
        if route.startswith("/health") or route == "/metrics":
            return
        fields = {
            "request_id": scope["request_id"],
            "method": method,
            "path": scope["path"][:500],
            "status": status,
            "seconds": round(seconds, 4),
            "client": (scope.get("client") or ("",))[0],
        }
        LOGGER.info("request", extra={"fields": fields})


async def _answer(error: HttpError, scope: Scope, receive: Receive, send: Send) -> None:
    response = JSONResponse(error_body(error, scope["path"]), error.status, error.headers)
    response.raw_headers += HEADERS  # the guard, which adds them to others, has been left
    await response(scope, receive, send)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _request_id(scope: Scope) -> str:
    """The client's own id where it is a plain word, else a new one."""
    given = dict(scope["headers"]).get(b"x-request-id", b"")
    return given.decode() if _CLIENT_ID.fullmatch(given) else secrets.token_hex(8)
