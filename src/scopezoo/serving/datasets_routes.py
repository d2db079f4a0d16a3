"""Paired datasets over HTTP: what there is, and every image as an OME-Zarr with its own address.

Nothing is served but the images that the manifest names, and the files beside it that describe it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from scopezoo.datasets.paired.card import card as made_card
from scopezoo.datasets.paired.crate import CRATE
from scopezoo.datasets.paired.files import MANIFEST
from scopezoo.datasets.paired.manifest import Side
from scopezoo.datasets.paired.rdf import COVER, RDF, README
from scopezoo.datasets.paired.store import SCHEMA
from scopezoo.serving.auth import require
from scopezoo.serving.cards import MAX_CARD_BYTES, safe_html
from scopezoo.serving.datasets import Datasets, Shared
from scopezoo.serving.datasets_entries import BASE, dataset_entry, full_dataset_entry
from scopezoo.serving.datasets_pictures import cover as cover_of
from scopezoo.serving.datasets_pictures import picture as picture_of
from scopezoo.serving.errors import HttpError
from scopezoo.serving.ranges import file_answer, is_known
from scopezoo.serving.state import server

MEDIA_TYPES = {
    MANIFEST: "application/json",
    SCHEMA: "application/schema+json",
    README: "text/markdown; charset=utf-8",
    RDF: "application/yaml",
    COVER: "image/png",
    CRATE: "application/ld+json",
}
"""What is served beside the images."""
CHUNK_AGE_S = 600
"""How long a chunk is taken for the same without asking; metadata is asked for each time."""

router = APIRouter(prefix=BASE, tags=["datasets"], dependencies=[require("predict")])


def _datasets(request: Request) -> Datasets:
    return server(request).datasets


def _shared(dataset: str, request: Request) -> Shared:
    return _datasets(request).get(dataset)


All = Annotated[Datasets, Depends(_datasets)]
One = Annotated[Shared, Depends(_shared)]
Word = Annotated[str | None, Query(max_length=200)]


@router.get("")
def list_datasets(datasets: All) -> dict[str, Any]:
    """The datasets that can be read."""
    found = []
    for name in datasets.ids():
        try:
            found.append(dataset_entry(datasets.get(name)))
        except HttpError:
            continue  # its own address says why
    return {"datasets": found}


@router.get("/{dataset}")
def show_dataset(shared: One) -> dict[str, Any]:
    """One dataset with microscopes, specimens and every pair: split, quality, sizes, addresses."""
    return full_dataset_entry(shared)


@router.get("/{dataset}/card")
def card(shared: One, format: Word = None) -> Response:
    """The card as safe HTML, or with `format=md` its Markdown."""
    files = shared.dataset.files
    if files.facts(README):
        with files.open(README) as stream:
            text = stream.read(MAX_CARD_BYTES).decode("utf-8", "replace")
    else:
        text = made_card(shared.dataset.manifest)
    if format == "md":
        return Response(text, media_type="text/markdown")
    return Response(safe_html(text), media_type="text/html")


@router.get("/{dataset}/cover")
def cover(shared: One, request: Request) -> Response:
    """A picture of a pair."""
    return _picture(request, shared, "", "image/png", lambda: cover_of(shared))


@router.get("/{dataset}/fields/{pair}/picture")
def picture(shared: One, request: Request, pair: str) -> Response:
    """Source, target, and the one placed on the other, side by side."""
    found = shared.pair(pair)
    return _picture(request, shared, pair, "image/jpeg", lambda: picture_of(shared, found))


@router.get("/{dataset}/fields/{pair}/{side}.files")
def files(shared: One, pair: str, side: Side) -> Response:
    """Each file of an image, a line of JSON: name, size, sha256. `scopezoo dataset pull` asks."""
    lines = shared.listed(shared.pair(pair), side)
    return StreamingResponse(lines, media_type="application/x-ndjson")


@router.head("/{dataset}/fields/{pair}/{side}.ome.zarr/{name:path}", include_in_schema=False)
@router.get("/{dataset}/fields/{pair}/{side}.ome.zarr/{name:path}")
def image_file(shared: One, request: Request, pair: str, side: Side, name: str) -> Response:
    """A file of an image, parts by Range: napari, viv and zarr open the address before `/{name}`.

    404 for a chunk that was not written, which readers take for empty.
    """
    path = shared.pair(pair).image(side).path
    is_metadata = name.rpartition("/")[2] == "zarr.json"
    return _file(
        shared,
        request,
        f"{path}/{name}",
        "application/json" if is_metadata else "application/octet-stream",
        0 if is_metadata else CHUNK_AGE_S,
    )


@router.get("/{dataset}/fields/{pair}/{side}.ome.zarr", include_in_schema=False)
def image(shared: One, pair: str, side: Side) -> Response:
    """No file: who looks at it with a browser is told what it is."""
    shared.pair(pair)
    raise HttpError(
        404,
        "NotFound",
        f"this is the address of an OME-Zarr: open it in napari, viv or zarr; its {side} begins "
        f"with {side}.ome.zarr/zarr.json",
    )


@router.head("/{dataset}/{name}", include_in_schema=False)
@router.get("/{dataset}/{name}")
def description(shared: One, request: Request, name: str) -> Response:
    """dataset.json, dataset.schema.json, README.md, rdf.yaml, cover.png, ro-crate-metadata.json."""
    if name not in MEDIA_TYPES:
        raise HttpError(404, "NotFound", f"a dataset has no file {name[:100]!r}")
    return _file(shared, request, name, MEDIA_TYPES[name], 0)


def _file(shared: Shared, request: Request, path: str, media_type: str, age_s: int) -> Response:
    found = shared.dataset.files.facts(path)
    if found is None:
        raise HttpError(404, "NotFound", f"the dataset has no file {path[:200]!r}")
    return file_answer(
        request,
        lambda: shared.dataset.files.open(path),
        size_bytes=found.size_bytes,
        version=found.version,
        modified_s=found.modified_s,
        media_type=media_type,
        cache=_cache(request, age_s),
    )


def _picture(
    request: Request, shared: Shared, pair: str, media_type: str, make: Callable[[], bytes]
) -> Response:
    """Made once, and shown again where the client has it."""
    content = shared.once("picture", pair, make)
    tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
    headers = {"ETag": tag, "Cache-Control": _cache(request, 0)}
    if is_known(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)


def _cache(request: Request, age_s: int) -> str:
    """Others than the caller may keep what needs no token."""
    who = "private" if server(request).settings.tokens else "public"
    return f"{who}, max-age={age_s}" if age_s else f"{who}, no-cache"
