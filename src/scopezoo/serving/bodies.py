"""The images that a request brings, as files."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from scopezoo.serving.errors import HttpError, too_large
from scopezoo.serving.limits import Pace, declared_length, spool
from scopezoo.serving.predict_formats import image_ending

MAX_FIELDS = 32
_UNSAFE = re.compile(r"[^A-Za-z0-9._ -]+")


@dataclass(frozen=True)
class Received:
    """Files by input id ("" for the first), parameters from form fields, and the client's name."""

    images: Mapping[str, Path]
    fields: Mapping[str, str]
    stem: str


async def receive(request: Request, folder: Path, limit_bytes: int) -> Received:
    """Take the body, an image or a form with images, into `folder`.

    Raises HttpError: 413 beyond the limit, 415 for what is no image, 400 for a damaged form.
    """
    content_type = request.headers.get("content-type", "")
    if content_type.lower().startswith("multipart/form-data"):
        return await _form(request, folder, limit_bytes)
    raw = folder / "body"
    size = await spool(request, raw, limit_bytes)
    if not size:
        raise HttpError(400, "ImageError", "the body is empty; send an image file")
    return Received({"": _named(raw, "image")}, {}, safe_stem(request.query_params.get("filename")))


def safe_stem(name: str | None) -> str:
    """A client's file name without folders, ending and odd characters."""
    last = re.split(r"[/\\]", name or "")[-1]
    stem = _UNSAFE.sub("_", last).split(".")[0].strip()
    return stem[:100] or "result"


def _named(path: Path, name: str) -> Path:
    """The file under a name that ends as its first bytes say."""
    with path.open("rb") as file:
        ending = image_ending(file.read(16))
    return path.rename(path.with_name(name + ending))


async def _form(request: Request, folder: Path, limit_bytes: int) -> Received:
    counted = _counted(request, limit_bytes)
    try:
        async with counted.form(max_files=MAX_FIELDS, max_fields=MAX_FIELDS) as form:
            images: dict[str, Path] = {}
            fields: dict[str, str] = {}
            stem = "result"
            for key, value in form.multi_items():
                if not isinstance(value, UploadFile):
                    fields[key] = value
                    continue
                name = _input_id(key)
                raw = folder / f"body{len(images)}"
                await asyncio.to_thread(_copy, value, raw)
                stem = stem if images else safe_stem(value.filename)
                images[name] = _named(raw, f"image{len(images)}")
    except MultiPartException as error:
        raise HttpError(400, "UsageError", f"the form is damaged: {error.message}") from error
    except ClientDisconnect as error:
        raise HttpError(400, "UsageError", "the client left before the body's end") from error
    if not images:
        raise HttpError(400, "UsageError", "the form has no file; send it as the field 'image'")
    return Received(images, fields, stem)


def _counted(request: Request, limit_bytes: int) -> Request:
    """The request with a body that raises HttpError: 413 beyond the limit, 408 where it is late."""
    declared_length(request, limit_bytes)
    taken = 0
    pace = Pace()

    async def receive_counted() -> Message:
        nonlocal taken
        message = await pace.wait(request.receive(), taken)
        taken += len(message.get("body", b""))
        if taken > limit_bytes:
            raise too_large("the body is larger", limit_bytes)
        return message

    return Request(request.scope, receive_counted)


def _input_id(key: str) -> str:
    first, _, name = key.partition(".")
    if first != "image":
        raise HttpError(
            400, "UsageError", f"file field {key[:100]!r}: expected 'image' or 'image.ID'"
        )
    return name


def _copy(upload: UploadFile, path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(upload.file, file, 1024**2)
