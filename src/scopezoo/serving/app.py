"""The server as an ASGI application."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

import scopezoo
from scopezoo.errors import ScopezooError
from scopezoo.serving import (
    datasets_routes,
    imagej_routes,
    models_routes,
    operating_routes,
    page_routes,
    predict_routes,
)
from scopezoo.serving.cross_origin import CrossOrigin
from scopezoo.serving.errors import HttpError, answer_error, is_full
from scopezoo.serving.guard import Guard
from scopezoo.serving.jobs import Jobs
from scopezoo.serving.jobs import routes as jobs_routes
from scopezoo.serving.logs import Observed
from scopezoo.serving.settings import Settings
from scopezoo.serving.state import Server
from scopezoo.serving.v2 import routes as v2_routes

STOP_GRACE_S = 20.0
"""How long running predictions have to finish when the server stops."""


def create_app(settings: Settings) -> FastAPI:
    """The whole server; run it with uvicorn or any other ASGI host, in one process.

    Raises what opening the models raises, and FileError where the folder cannot be used.
    """
    for name in ("scratch", "packages", "quarantine"):
        (settings.folder / name).mkdir(parents=True, exist_ok=True)
    state = Server(settings)
    state.jobs = Jobs(state)  # from here on the folder is this server's alone
    shutil.rmtree(settings.folder / "scratch")  # of a server that was killed
    (settings.folder / "scratch").mkdir()
    app = FastAPI(
        title="scopezoo",
        version=scopezoo.__version__,
        description="Deep-learning models of microscopy over HTTP.",
        lifespan=_lifespan,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
    )
    app.state.server = state
    for part in (
        operating_routes,
        models_routes,
        datasets_routes,
        predict_routes,
        jobs_routes,
        v2_routes,
        imagej_routes,
        page_routes,
    ):
        app.include_router(part.router)
    known = (HttpError, HTTPException, RequestValidationError, ScopezooError, MemoryError, OSError)
    for kind in known:
        app.add_exception_handler(kind, _answer)
    hosts = frozenset(name.lower() for name in settings.allowed_hosts)
    origins = settings.allowed_origins
    if origins:
        app.add_middleware(CrossOrigin, origins=origins)
    names = None if settings.tokens or "*" in hosts else hosts
    app.add_middleware(Guard, hosts=names, origins=frozenset(origins))
    app.add_middleware(Observed, metrics=state.metrics)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: Server = app.state.server
    await state.jobs.start()
    try:
        yield
    finally:
        await asyncio.gather(state.runner.stop(STOP_GRACE_S), state.jobs.stop())


async def _answer(request: Request, error: Exception) -> Response:
    """FastAPI's own refusals in the form of all others."""
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        error = HttpError(400, "UsageError", f"{where}: {first['msg']}")
    elif isinstance(error, HTTPException):
        kind = {404: "NotFound", 405: "UsageError"}.get(error.status_code, "UsageError")
        error = HttpError(error.status_code, kind, str(error.detail), error.headers)
    elif isinstance(error, OSError) and not is_full(error):
        raise error  # a failure of the server, which its log must tell
    return await answer_error(request, error)
