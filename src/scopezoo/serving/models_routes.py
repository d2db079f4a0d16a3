"""The models: what there is, what each says of itself, and new ones."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import FileResponse, JSONResponse, Response

from scopezoo.errors import ScopezooError
from scopezoo.serving import cards
from scopezoo.serving.admission import admit
from scopezoo.serving.auth import require
from scopezoo.serving.catalogue import fits, full_entry, model_entry
from scopezoo.serving.errors import HttpError, as_http_error
from scopezoo.serving.limits import spool
from scopezoo.serving.pool import package_zip, served_id
from scopezoo.serving.predict_formats import media_type
from scopezoo.serving.samples import sample_image
from scopezoo.serving.state import Server, State

router = APIRouter(prefix="/api/v1/models", tags=["models"], dependencies=[require("predict")])
Word = Annotated[str | None, Query(max_length=200)]


@router.get("")
def list_models(
    state: State,
    q: Word = None,
    task: Word = None,
    modality: Word = None,
    axes: Word = None,
    dataset: Word = None,
) -> dict[str, Any]:
    """The models, or those that fit: `q` searches in all words, `axes` is YX or ZYX."""
    entries = (model_entry(state.pool, model) for model in state.pool.ids())
    return {"models": [e for e in entries if fits(e, q, task, modality, axes, dataset)]}


@router.get("/{model}")
def show_model(state: State, model: str) -> dict[str, Any]:
    """One model with citations, authors, evaluations and limitations."""
    return full_entry(state.pool, model)


@router.get("/{model}/card")
def card(state: State, model: str, format: Word = None) -> Response:
    """The card as safe HTML, or with `format=md` its Markdown."""
    package = state.pool.package(model)
    if format == "md":
        return Response(cards.card_source(package), media_type="text/markdown")
    return Response(cards.card_html(package), media_type="text/html")


@router.get("/{model}/cover")
def cover(state: State, request: Request, model: str) -> Response:
    """A picture of what the model does."""
    package = state.pool.package(model)
    found = cards.cover(package)
    if found is None:
        raise HttpError(404, "NotFound", f"{model} has no cover")
    return _unless_known(
        request, package.rdf_sha256, lambda: Response(found[0], media_type=found[1])
    )


@router.get("/{model}/description")
def description(state: State, request: Request, model: str) -> Response:
    """The package's rdf.yaml as it stands."""
    package = state.pool.package(model)
    content = package.files.read(package.rdf_name)
    return _unless_known(
        request, package.rdf_sha256, lambda: Response(content, media_type="application/yaml")
    )


@router.get("/{model}/package")
def package(state: State, request: Request, model: str) -> Response:
    """The package as a zip that bioimageio.core, deepImageJ and scopezoo open; parts by Range."""
    found = state.pool.package(model)
    path = package_zip(found, _cache(state))
    answer = FileResponse(path, media_type="application/zip", filename=f"{model}.zip")
    return _unless_known(request, found.rdf_sha256, lambda: answer)


@router.get("/{model}/sample")
def sample(state: State, request: Request, model: str) -> Response:
    """An image to try the model on."""
    found = state.pool.package(model)
    path = sample_image(found, _cache(state))
    answer = FileResponse(path, media_type=media_type(path), filename=path.name)
    return _unless_known(request, found.rdf_sha256, lambda: answer)


@router.post("", status_code=201, dependencies=[require("admin")])
async def add_model(state: State, request: Request) -> Response:
    """Add a package, a zip as the body, once it proved safe, true to the format, and to run.

    One that fails is kept in the server's folder `quarantine`, and answered with 422 and why.
    """
    name = f"{secrets.token_hex(8)}.zip"
    scratch = state.settings.folder / "scratch" / name
    shown = (str(scratch), "the body")  # where the server keeps it is none of the client's business
    try:
        if not await spool(request, scratch, state.settings.max_body_bytes):
            raise HttpError(400, "UsageError", "the body is empty; send the zip of a package")
        failed = await asyncio.to_thread(admit, scratch)
        if failed:
            scratch.replace(state.settings.folder / "quarantine" / name)
            checks = [{key: text.replace(*shown) for key, text in c.items()} for c in failed]
            found = {"type": "PackageError", "message": checks[0]["message"], "checks": checks}
            return JSONResponse({"error": found}, 422)
        model = await asyncio.to_thread(_serve, state, scratch)
    except ScopezooError as error:
        known = as_http_error(error)
        status = 422 if known.status == 500 else known.status
        message = str(known).replace(*shown)
        raise HttpError(status, known.kind, message, known.headers) from error
    finally:
        scratch.unlink(missing_ok=True)
    return JSONResponse(model_entry(state.pool, model), 201)


def _serve(state: Server, path: Path) -> str:
    """Move a package to its place, and serve it from there.

    Raises PackageError where its id cannot be part of a URL.
    """
    from scopezoo.store import open_package

    package = open_package(path)
    served_id(package)
    place = state.settings.folder / "packages" / f"{package.rdf_sha256}.zip"
    path.replace(place)
    return state.pool.add(open_package(place))


def _cache(state: Server) -> Path:
    path = state.settings.folder / "made"
    path.mkdir(exist_ok=True)
    return path


def _unless_known(request: Request, tag: str, answer: Any) -> Response:
    """304 where the client has this version, by its ETag."""
    known = request.headers.get("if-none-match", "")
    if f'"{tag}"' in known:
        return Response(status_code=304, headers={"ETag": f'"{tag}"'})
    response: Response = answer()
    response.headers["ETag"] = f'"{tag}"'
    return response
