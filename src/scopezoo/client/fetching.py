"""A prediction of a server, and its files: at once, or as a job for what is large."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scopezoo.client.connection import Connection, RefusedError
from scopezoo.client.jobs import JOBS, Progress, remove_job, run_job
from scopezoo.client.model import Model
from scopezoo.client.parcels import Parcel
from scopezoo.client.uploads import remove_upload, upload
from scopezoo.errors import ServerError
from scopezoo.formats.limits import writing
from scopezoo.result import Extras, Names, result_names

MODELS = "/api/v1/models"
SMALL_BYTES = 16 * 2**20
"""Images up to this size are sent and answered at once; larger ones in parts, as a job."""


@dataclass(frozen=True)
class Asked:
    """What a server is asked for; `names` are those of the final files, None for in memory.

    The files come to `folder`.
    """

    model: Model
    parcels: Sequence[Parcel]
    parameters: Mapping[str, Any]
    names: Names | None
    folder: Path

    @property
    def format(self) -> str:
        """The format in which images come: TIFF knows most, NPY holds numbers that TIFF cannot."""
        first = None if self.names is None else next(iter(self.names.images.values()))
        return "npy" if first is not None and first.suffix == ".npy" else "tif"

    @cached_property
    def files(self) -> Names:
        """Where the files come to."""
        extras = Extras() if self.names is None else self.names.extras
        path = self.folder / f"result.{self.format}"
        return result_names(path, list(self.model.outputs), extras)

    @property
    def said(self) -> dict[str, Any]:
        """The parameters that the server is told, and what it is to make beside the images."""
        given = {**self.parameters, "axes": self.parcels[0].axes}
        extras = self.files.extras
        beside = {"preview": extras.preview, "table": extras.table, "rois": extras.rois}
        return {name: value for name, value in given.items() if value is not None} | beside


def fetch(connection: Connection, asked: Asked, progress: Progress) -> Names:
    """Run a model on a server; gives where the files of the result are now.

    What is too large or takes too long to be answered at once is run as a job. Raises the error
    that the prediction failed with, ServerError, FileError where a file cannot be written.
    """
    size_bytes = sum(parcel.size_bytes for parcel in asked.parcels)
    if asked.format == "tif" and size_bytes <= SMALL_BYTES:
        try:
            _fetch_at_once(connection, asked)
        except RefusedError as error:
            if error.kind not in ("Timeout", "TooLarge"):
                raise
        else:
            progress(1, 1)
            return asked.files
    _fetch_as_job(connection, asked, progress)
    return asked.files


def _fetch_at_once(connection: Connection, asked: Asked) -> None:
    answer = connection.send(
        "POST",
        f"{MODELS}/{quote(asked.model.id, safe='')}/predict",
        params={**asked.said, "format": "zip"},
        **_body(asked),
    )
    try:
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            for path in asked.files.paths():
                content = archive.read(path.name)
                with writing(path):
                    path.write_bytes(content)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ServerError(f"{connection.url} sent a result that lacks files") from error


def _body(asked: Asked) -> dict[str, Any]:
    """One image as it is; several, by input id, as a form."""
    parcels = asked.parcels
    if [parcel.tensor for parcel in parcels] == [asked.model.inputs[0]]:
        content_type = {"Content-Type": "application/octet-stream"}
        return {"content": parcels[0].file.read_bytes(), "headers": content_type}
    return {"files": {f"image.{p.tensor}": (p.file.name, p.file.read_bytes()) for p in parcels}}


def _fetch_as_job(connection: Connection, asked: Asked, progress: Progress) -> None:
    """Send the images, run the job, fetch its files; then remove all of it from the server."""
    with ExitStack() as cleaning:
        inputs = {}
        for number, parcel in enumerate(asked.parcels):
            name = f"image{number}{parcel.file.suffix}"
            upload_id = upload(connection, parcel.file, name)
            cleaning.callback(remove_upload, connection, upload_id)
            inputs[parcel.tensor] = {"upload": upload_id}
        parameters = {**asked.said, "format": asked.format}
        request = {"model": asked.model.id, "inputs": inputs, "parameters": parameters}
        job = run_job(connection, request, progress)
        cleaning.callback(remove_job, connection, job["id"])
        _download(connection, job, asked.files)


def _download(connection: Connection, job: Mapping[str, Any], files: Names) -> None:
    record = next((file["name"] for file in job["files"] if file["kind"] == "record"), "")
    stem = str(record).removesuffix(".json")
    for path in files.paths():
        name = quote(stem + path.name.removeprefix("result"))
        connection.download(f"{JOBS}/{job['id']}/files/{name}", path)
