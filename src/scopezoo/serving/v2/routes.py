"""The Open Inference Protocol v2 under `/v2`."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse, Response

from scopezoo.errors import ScopezooError
from scopezoo.serving.auth import require
from scopezoo.serving.errors import HttpError, as_http_error
from scopezoo.serving.limits import read_body, waiting_body
from scopezoo.serving.state import State
from scopezoo.serving.v2.datatypes import ProtocolError
from scopezoo.serving.v2.infer import infer
from scopezoo.serving.v2.metadata import (
    check_version,
    model_config,
    model_metadata,
    repository_index,
    server_metadata,
    version_of,
)
from scopezoo.serving.v2.protocol import parse_header_length
from scopezoo.serving.v2.shared import SharedState
from scopezoo.store.package import Package

LENGTH_HEADER = "Inference-Header-Content-Length"
MAX_INDEX_BYTES = 10_000


class _ProtocolRoute(APIRoute):
    """A route whose errors are the protocol's: `{"error": "text"}`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except (HttpError, ScopezooError, MemoryError) as error:
                found = as_http_error(error)
                return JSONResponse({"error": str(found)}, found.status, found.headers)

        return answer


router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"], route_class=_ProtocolRoute)
predicting = [require("predict")]


async def _package(request: Request, state: State, model: str) -> Package:
    """The package that the address names, in the version that it names."""
    package = state.pool.package(model)
    check_version(package.description, model, request.path_params.get("version"))
    return package


Named = Annotated[Package, Depends(_package)]


_INFERENCE: dict[str, Any] = {
    "dependencies": predicting,
    "response_class": Response,
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"type": "object", "required": ["inputs"]}},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
}


@router.get("/health/live")
async def live() -> dict[str, bool]:
    """200 while the process answers."""
    return {"live": True}


@router.get("/health/ready")
async def ready(state: State) -> Response:
    """200 while new work is taken, 503 while the server stops."""
    return _ready({"ready": not state.runner.is_closing})


@router.get("", dependencies=predicting)
async def about() -> dict[str, Any]:
    """Name, version and extensions of the server."""
    return server_metadata()


@router.get("/models/{model}/ready", dependencies=predicting)
@router.get("/models/{model}/versions/{version}/ready", dependencies=predicting)
async def model_ready(state: State, model: str, package: Named) -> Response:  # noqa: ARG001
    """200 unless the weights could not be loaded; they load at the first inference."""
    return _ready({"name": model, "ready": state.pool.state(model) != "failed"})


def _ready(content: dict[str, Any]) -> Response:
    return JSONResponse(content, 200 if content["ready"] else 503)


@router.get("/models/{model}", dependencies=predicting)
@router.get("/models/{model}/versions/{version}", dependencies=predicting)
async def metadata(model: str, package: Named, shared: SharedState) -> dict[str, Any]:
    """The tensors of the network: names, types, and shapes with -1 for sizes that vary."""
    return model_metadata(model, package.description, await shared.signature(package))


@router.get("/models/{model}/config", dependencies=predicting)
@router.get("/models/{model}/versions/{version}/config", dependencies=predicting)
async def config(model: str, package: Named, shared: SharedState) -> dict[str, Any]:
    """What of Triton's model configuration applies."""
    return model_config(model, package.description, await shared.signature(package))


@router.post("/repository/index", dependencies=predicting)
async def index(request: Request, state: State) -> list[dict[str, str]]:
    """All models; those that could not be loaded are left out for `{"ready": true}`."""
    body = await read_body(request, MAX_INDEX_BYTES)
    try:
        asked = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ProtocolError("the request is no JSON") from error
    models = [
        (model, state.pool.package(model).description, state.pool.state(model))
        for model in state.pool.ids()
    ]
    return repository_index(models, isinstance(asked, dict) and asked.get("ready") is True)


@router.post("/models/{model}/infer", **_INFERENCE)
@router.post("/models/{model}/versions/{version}/infer", **_INFERENCE)
async def run_inference(
    request: Request, state: State, model: str, package: Named, shared: SharedState
) -> Response:
    """Run the network on tensors as they are, or, with the parameter `processing: true`, with the
    package's pre- and post-processing on an image of any size."""
    signature = await shared.signature(package)
    scratch = state.settings.folder / "scratch"
    async with (
        state.runner.admitted(),
        waiting_body(request, scratch, shared.max_body_bytes) as waiting,
        # only now: a client that sends slowly would keep the room from others
        shared.room.taken(waiting.needed_bytes),
    ):
        body = await waiting.read()
        work = partial(
            infer,
            state,
            model,
            version_of(package.description),
            signature,
            body,
            parse_header_length(request.headers.get(LENGTH_HEADER), len(body)),
            _packing(request),
        )
        answer = await state.runner.run(work, is_gone=request.is_disconnected)
    headers = {"Content-Type": "application/json"}
    if answer.header_bytes is not None:
        headers = {
            "Content-Type": "application/octet-stream",
            LENGTH_HEADER: str(answer.header_bytes),
        }
    if answer.packing:
        headers["Content-Encoding"] = answer.packing
    return Response(answer.body, headers=headers)


def _packing(request: Request) -> str | None:
    """How to pack the answer: as asked for, if it is one way alone.

    HTTP libraries send lists of what they know, and packing floats takes longer than sending them.
    """
    asked = request.headers.get("accept-encoding", "").strip().lower()
    return asked if asked in ("gzip", "deflate") else None


@router.api_route(
    "/{rest:path}",
    methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    include_in_schema=False,
)
async def nothing_here(rest: str) -> Response:
    """Addresses that do not exist, with an error of the protocol."""
    raise HttpError(404, "NotFound", f"nothing at {'/v2/' + rest[:200]!r} for this method")
