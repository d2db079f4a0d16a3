"""What those who run the server ask: is it well, and how much does it do."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

import scopezoo
from scopezoo.serving.auth import require
from scopezoo.serving.metrics import CONTENT_TYPE_LATEST
from scopezoo.serving.predict_formats import FORMATS
from scopezoo.serving.state import State

router = APIRouter(tags=["operating"])


@router.get("/health/live")
async def live() -> dict[str, str]:
    """200 while the process answers."""
    return {"status": "live"}


@router.get("/health/ready")
async def ready(state: State) -> Response:
    """200 while new work is taken, 503 while the server stops."""
    if state.runner.is_closing:
        return JSONResponse({"status": "stopping"}, 503)
    return JSONResponse({"status": "ready"})


@router.get("/metrics", dependencies=[require("predict")])
async def metrics(state: State) -> Response:
    """Requests, times, queue, pixels and memory, in Prometheus' text format."""
    for model in state.pool.ids():
        state.metrics.models.labels(model).set(state.pool.loaded(model))
    return Response(state.metrics.text(), media_type=CONTENT_TYPE_LATEST)


@router.get("/api/v1/info", tags=["models"])
async def info(state: State) -> dict[str, Any]:
    """What a client must know before it starts."""
    from scopezoo.serving.imagej_routes import plugin_path

    return {
        "version": scopezoo.__version__,
        "models": len(state.pool.ids()),
        "datasets": len(state.datasets.ids()),
        "auth": bool(state.settings.tokens),
        "max_body_bytes": state.settings.max_body_bytes,
        "formats": list(FORMATS),
        "imagej": "/clients/imagej/scopezoo_imagej.jar" if plugin_path() else None,
    }
