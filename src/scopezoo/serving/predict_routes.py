"""Prediction for what one waits for: an image in, its result out."""

from __future__ import annotations

import asyncio
import json
import math
import secrets
import shutil
import time
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from scopezoo.errors import ScopezooError
from scopezoo.predict import Extras, Result, predict
from scopezoo.predict.parameters import parse_tile
from scopezoo.predict.stages import output_kind
from scopezoo.serving.auth import require
from scopezoo.serving.bodies import Received, receive
from scopezoo.serving.errors import HttpError, as_http_error, in_http_words
from scopezoo.serving.parameters import flag
from scopezoo.serving.pool import tiled
from scopezoo.serving.predict_formats import Wanted, media_type, wanted
from scopezoo.serving.runner import Stop
from scopezoo.serving.state import Server, State
from scopezoo.store.package import Package

router = APIRouter(prefix="/api/v1/models", tags=["predict"], dependencies=[require("predict")])
AT_ONCE_BYTES = 16 * 1024**2
"""A result up to this size is answered from memory."""

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("image/tiff", "image/png", "image/jpeg", "application/x-npy")
        }
        | {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"image": {"type": "string", "format": "binary"}},
                }
            }
        },
    },
    "responses": {
        "200": {
            "description": "The result, the same bytes as the file that `scopezoo predict` writes",
            "content": {"image/tiff": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
}


@dataclass(frozen=True)
class Parameters:
    """What the engine is told, from the query or from form fields of the same names."""

    axes: str | None
    channel: str | None
    tile: str | None
    rescale: bool
    precision: str
    output: str | None


@router.post("/{model}/predict", openapi_extra=_BODY, response_class=Response)
async def predict_image(
    request: Request,
    state: State,
    model: str,
    axes: Annotated[str | None, Query(max_length=8, examples=["YX"])] = None,
    channel: Annotated[str | None, Query(max_length=200, examples=["0"])] = None,
    tile: Annotated[str | None, Query(max_length=100, examples=["512"])] = None,
    rescale: bool = False,
    precision: Literal["float32", "bf16"] = "float32",
    format: Annotated[str | None, Query(max_length=20, examples=["tif"])] = None,
    output: Annotated[str | None, Query(max_length=100)] = None,
    preview: bool | None = None,
    table: bool | None = None,
    rois: bool | None = None,
) -> Response:
    """Run a model on the image in the body, and answer with the result in the asked form.

    `preview`, `table` and `rois` say what a zip holds besides; without any of them, all.
    """
    package = state.pool.package(model)
    async with state.runner.admitted():
        folder = state.settings.folder / "scratch" / secrets.token_hex(8)
        folder.mkdir()
        try:
            received = await receive(request, folder, state.settings.max_body_bytes)
            fields = received.fields
            parameters = Parameters(
                fields.get("axes", axes),
                fields.get("channel", channel) or None,
                fields.get("tile", tile),
                flag(fields["rescale"], "rescale") if "rescale" in fields else rescale,
                fields.get("precision", precision),
                fields.get("output", output),
            )
            asked = [
                flag(fields[name], name) if name in fields else given
                for name, given in (("preview", preview), ("table", table), ("rois", rois))
            ]
            form = wanted(
                fields.get("format", format),
                request.headers.get("accept"),
                labels_output(package),
                None if asked == [None] * 3 else Extras(*map(bool, asked)),
            )
            work = partial(_run, state, model, folder, received, parameters, form)
            result, path = await state.runner.run(work, is_gone=request.is_disconnected)
            return await _answer(folder, path, f"{received.stem}{path.name[6:]}", result)
        except BaseException as error:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            if isinstance(error, ScopezooError):
                raise _without_folder(error, folder) from error
            raise


def labels_output(package: Package) -> str | None:
    """Id of the first output that is decoded into labelled objects; None where there is none."""
    tensors = package.description.outputs
    return next((tensor.id for tensor in tensors if output_kind(tensor) == "labels"), None)


def _run(
    state: Server,
    model: str,
    folder: Path,
    received: Received,
    parameters: Parameters,
    form: Wanted,
    stop: Stop,
) -> tuple[Result, Path]:
    """Runs in a thread: the result, and the file to answer with."""
    outcome = "failed"
    try:
        with state.pool.borrow(model, parameters.precision) as engine:
            started = time.perf_counter()
            first = engine.description.inputs[0]
            tile = parse_tile(parameters.tile, [axis.id for axis in first.space])
            images = {name or first.id: path for name, path in received.images.items()}
            result = predict(
                tiled(engine, tile),
                images,
                folder / f"result{form.ending}",
                axes=parameters.axes,
                channel=parameters.channel,
                rescale=parameters.rescale,
                extras=form.extras,
                progress=lambda _done, _total: stop.check(),
            )
        outcome = "done"
        state.metrics.run_seconds.labels(model).observe(time.perf_counter() - started)
        shape = next(iter(result.record["inputs"].values()))["shape"]
        state.metrics.pixels.labels(model).inc(math.prod(shape))
        return result, _file_to_answer(folder, result, form, parameters.output)
    finally:
        state.metrics.predictions.labels(model, outcome).inc()


def _file_to_answer(folder: Path, result: Result, form: Wanted, output: str | None) -> Path:
    endings = {"png": ".preview.png", "csv": ".csv", "rois": ".rois.zip", "json": ".json"}
    record = folder / "result.json"
    record.write_text(record.read_text().replace(f"{folder}/", ""))
    if form.format in endings:
        return folder / f"result{endings[form.format]}"
    if form.format == "zip":
        path = folder / "result.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for file in result.files:
                archive.write(file, file.name)
        return path
    names = list(result.images)
    if form.format == "labels" and output is None:
        output = form.labels
    if output is not None and output not in names:
        raise HttpError(400, "UsageError", f"output {output!r}: expected {', '.join(names)}")
    return result.files[names.index(output) if output else 0]


async def _answer(folder: Path, path: Path, name: str, result: Result) -> Response:
    warnings = [in_http_words(warning.replace(f"{folder}/", "")) for warning in result.warnings]
    headers = {"X-Scopezoo-Warnings": json.dumps(warnings)} if warnings else {}
    if path.stat().st_size > AT_ONCE_BYTES:
        return _LastFile(path, media_type=media_type(path), filename=name, headers=headers)
    content = path.read_bytes()
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return Response(content, media_type=media_type(path), headers=headers)


class _LastFile(FileResponse):
    """A file whose folder goes when it was sent, or could not be."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            shutil.rmtree(Path(self.path).parent, ignore_errors=True)


def _without_folder(error: ScopezooError, folder: Path) -> HttpError:
    """The error in the client's terms: where the server keeps files is none of its business."""
    found = as_http_error(error)
    message = str(found).replace(f"{folder}/", "")
    return HttpError(found.status, found.kind, message, found.headers)
