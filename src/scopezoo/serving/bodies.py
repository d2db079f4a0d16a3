"""The images that a request brings, as files."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from scopezoo.serving.errors import HttpError
from scopezoo.serving.limits import chunks, spool
from scopezoo.serving.predict_formats import image_ending

MAX_FIELDS = 32
MAX_FIELD = 200
"""Characters of one that is no file, as of a parameter in the query."""
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


class _FormInto(MultiPartParser):
    """Writes the files of a form into `folder`, as body0, body1 and so on."""

    def __init__(self, folder: Path, headers: Headers, stream: AsyncGenerator[bytes, None]) -> None:
        super().__init__(headers, stream, max_files=MAX_FIELDS, max_fields=MAX_FIELDS)
        self._folder = folder

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        upload = self._current_part.file
        if upload is not None:
            upload.file.close()  # a temporary one, where there may be no room
            name = f"body{len(self._files_to_close_on_error)}"
            upload.file = (self._folder / name).open("w+b")
            self._files_to_close_on_error.append(upload.file)  # type: ignore[arg-type]


async def _form(request: Request, folder: Path, limit_bytes: int) -> Received:
    parser = _FormInto(folder, request.headers, chunks(request, limit_bytes))
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise HttpError(400, "UsageError", f"the form is damaged: {error.message}") from error
    await form.close()
    images: dict[str, Path] = {}
    fields: dict[str, str] = {}
    stem = "result"
    for key, value in form.multi_items():
        if not isinstance(value, UploadFile):
            fields[key] = _field(key, value)
            continue
        name = _input_id(key)
        stem = stem if images else safe_stem(value.filename)
        images[name] = _named(Path(str(value.file.name)), f"image{len(images)}")
    if not images:
        raise HttpError(400, "UsageError", "the form has no file; send it as the field 'image'")
    return Received(images, fields, stem)


def _field(key: str, value: str) -> str:
    if len(value) > MAX_FIELD:
        raise HttpError(
            400,
            "UsageError",
            f"form field {key[:100]!r} has {len(value)} characters; at most {MAX_FIELD} are taken",
        )
    return value


def _input_id(key: str) -> str:
    first, _, name = key.partition(".")
    if first != "image":
        raise HttpError(
            400, "UsageError", f"file field {key[:100]!r}: expected 'image' or 'image.ID'"
        )
    return name
