"""Uploads over HTTP: tus 1.0.0 (https://tus.io/protocols/resumable-upload), core, creation,
termination and expiration.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from email.utils import formatdate
from typing import Annotated

from fastapi import APIRouter, Request, Response

from scopezoo.serving.auth import Caller, check_role, require
from scopezoo.serving.errors import HttpError
from scopezoo.serving.jobs.uploads import Upload, Uploads, no_upload
from scopezoo.serving.limits import chunks
from scopezoo.serving.state import server

VERSION = "1.0.0"
PART_TYPE = "application/offset+octet-stream"
BUFFER_BYTES = 2**20
"""Bytes that are gathered before they are written."""
MAX_METADATA = 4096

router = APIRouter(prefix="/api/v1/uploads", tags=["uploads"])
Predictor = Annotated[Caller, require("predict")]


@router.options("", status_code=204, dependencies=[require("predict")])
async def capabilities(request: Request) -> Response:
    """What of the protocol this server speaks."""
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": "creation,termination,expiration",
        "Tus-Max-Size": str(server(request).jobs.uploads.max_bytes),
    }
    return _answer(204, headers)


@router.post("", status_code=201)
async def create(request: Request, caller: Predictor) -> Response:
    """Begin an upload; its `Location` takes the parts."""
    _check_version(request)
    length = _number(request, "Upload-Length")
    if length > server(request).settings.max_body_bytes:  # what any caller may send as a body
        check_role(caller, "upload")
    metadata = request.headers.get("upload-metadata", "")
    filename = _metadata(metadata).get("filename", "image")
    upload = await asyncio.to_thread(
        server(request).jobs.uploads.create, caller.name, filename, length, metadata
    )
    return _answer(201, {"Location": f"{router.prefix}/{upload.id}", **_expiry(upload)})


@router.head("/{upload_id}")
async def offset(upload_id: str, request: Request, caller: Predictor) -> Response:
    """How many bytes have been received."""
    _check_version(request)
    upload = await asyncio.to_thread(_own, request, upload_id, caller)
    headers = {
        "Upload-Offset": str(upload.offset),
        "Upload-Length": str(upload.length),
        "Cache-Control": "no-store",
        **_expiry(upload),
    }
    if upload.metadata:
        headers["Upload-Metadata"] = upload.metadata
    return _answer(200, headers)


@router.patch("/{upload_id}", status_code=204)
async def append(upload_id: str, request: Request, caller: Predictor) -> Response:
    """Add the body at `Upload-Offset`, which must be the end of what was received."""
    _check_version(request)
    if request.headers.get("content-type") != PART_TYPE:
        raise HttpError(415, "UsageError", f"a part's Content-Type is {PART_TYPE}")
    start = _number(request, "Upload-Offset")
    upload = await asyncio.to_thread(_own, request, upload_id, caller)
    uploads = server(request).jobs.uploads
    with uploads.claimed(upload.id):
        if start != upload.offset:
            raise HttpError(
                409, "UsageError", f"{upload.offset} bytes were received; {start} is not the end"
            )
        await _receive(request, uploads, upload, start)
        upload = await asyncio.to_thread(uploads.settle, upload)
        return _answer(204, {"Upload-Offset": str(upload.offset), **_expiry(upload)})


@router.delete("/{upload_id}", status_code=204)
async def terminate(upload_id: str, request: Request, caller: Predictor) -> Response:
    """Give an upload up, or remove one that is whole."""
    _check_version(request)
    upload = await asyncio.to_thread(_own, request, upload_id, caller)
    uploads = server(request).jobs.uploads
    with uploads.claimed(upload.id):
        await asyncio.to_thread(uploads.remove, upload.id)
    return _answer(204, {})


@router.post("/{upload_id}", include_in_schema=False)
async def overridden(upload_id: str, request: Request, caller: Predictor) -> Response:
    """For clients that can only POST: `X-HTTP-Method-Override` says what is meant."""
    method = request.headers.get("x-http-method-override", "").upper()
    handler = {"PATCH": append, "DELETE": terminate, "HEAD": offset}.get(method)
    if handler is None:
        raise HttpError(405, "UsageError", "an upload takes HEAD, PATCH and DELETE")
    return await handler(upload_id, request, caller)


async def _receive(request: Request, uploads: Uploads, upload: Upload, start: int) -> None:
    """Write the body. A part that is too large leaves nothing, one that breaks off what came."""
    waiting = bytearray()
    try:
        async for chunk in chunks(request, upload.length - start):
            waiting += chunk
            if len(waiting) >= BUFFER_BYTES:
                await asyncio.to_thread(uploads.append, upload, bytes(waiting))
                waiting.clear()
    except HttpError as error:
        if error.status == 413:
            await asyncio.to_thread(uploads.cut, upload, start)
            waiting.clear()
        raise
    finally:
        if waiting:
            await asyncio.to_thread(uploads.append, upload, bytes(waiting))


def _own(request: Request, upload_id: str, caller: Caller) -> Upload:
    """The upload, if it is the caller's to see."""
    upload = server(request).jobs.uploads.get(upload_id)
    if upload.owner != caller.name and caller.role != "admin":
        raise no_upload(upload_id)
    return upload


def _check_version(request: Request) -> None:
    found = request.headers.get("tus-resumable")
    if found != VERSION:
        raise HttpError(
            412,
            "UsageError",
            f"Tus-Resumable is {str(found)[:40]!r}; expected {VERSION}",
            {"Tus-Version": VERSION},
        )


def _number(request: Request, name: str) -> int:
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise HttpError(400, "UsageError", f"{name} is {text[:40]!r}; expected a number of bytes")
    return int(text)


def _metadata(header: str) -> dict[str, str]:
    """Upload-Metadata: keys and base64 values, `filename Y2VsbHMudGlm,note …`."""
    if len(header) > MAX_METADATA:
        raise HttpError(400, "UsageError", f"Upload-Metadata is longer than {MAX_METADATA}")
    found = {}
    for pair in filter(None, map(str.strip, header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise HttpError(
                400, "UsageError", f"Upload-Metadata {key[:40]!r} is no base64 of UTF-8"
            ) from error
    return found


def _expiry(upload: Upload) -> dict[str, str]:
    return {"Upload-Expires": formatdate(upload.expires, usegmt=True)}


def _answer(status: int, headers: dict[str, str]) -> Response:
    return Response(None, status, {"Tus-Resumable": VERSION, **headers})
