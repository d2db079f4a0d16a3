"""Large files on their way to a server, in parts: tus 1.0.0 (https://tus.io/protocols)."""

from __future__ import annotations

import time
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scopezoo.client.connection import FIRST_PAUSE_S, AwayError, Connection
from scopezoo.errors import FileError, ScopezooError, ServerError
from scopezoo.formats.limits import reading

if TYPE_CHECKING:
    import httpx

UPLOADS = "/api/v1/uploads"
PART_BYTES = 8 * 2**20
TRIES = 6
"""How often a part is sent of which nothing arrives."""
_TUS = {"Tus-Resumable": "1.0.0"}
_OUT_OF_STEP = (409, 423)
"""The part is of another place, or a broken request's part is still being written."""


def upload(connection: Connection, path: Path, name: str) -> str:
    """Send a file under a name; gives the id of the upload.

    After a broken connection it goes on where the server has it; if it cannot, what was sent is
    removed. Raises what `Connection.send` raises, ImageError where the file cannot be read.
    """
    size = path.stat().st_size
    encoded = b64encode(name.encode()).decode()
    headers = {**_TUS, "Upload-Length": str(size), "Upload-Metadata": f"filename {encoded}"}
    created = connection.send("POST", UPLOADS, headers=headers)
    found: str = created.headers.get("Location", "").rstrip("/").rpartition("/")[2]
    try:
        _send_parts(connection, f"{UPLOADS}/{found}", path, size)
    except BaseException:
        remove_upload(connection, found)
        raise
    return found


def remove_upload(connection: Connection, upload_id: str) -> None:
    """Remove an upload, if it is still there and the server too."""
    with suppress(ScopezooError):
        connection.send("DELETE", f"{UPLOADS}/{upload_id}", headers=_TUS, retry="never")


def _send_parts(connection: Connection, place: str, path: Path, size: int) -> None:
    offset, in_vain = 0, 0
    with path.open("rb") as file:
        while offset < size:
            with reading(str(path)):
                file.seek(offset)
                part = file.read(PART_BYTES)
            if not part:
                raise FileError(f"{path} became shorter while it was sent")
            arrived = _offset(_send_part(connection, place, offset, part))
            in_vain = 0 if arrived > offset else in_vain + 1
            if in_vain == TRIES:
                raise ServerError(f"{connection.url} takes no more of {path.name}: {offset} bytes")
            offset = arrived


def _send_part(connection: Connection, place: str, offset: int, part: bytes) -> httpx.Response:
    """The answer to a part; after a failure that to the question how much has arrived."""
    headers = {
        **_TUS,
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
    }
    with suppress(AwayError):
        answer = connection.send(
            "PATCH", place, content=part, headers=headers, retry="unsent", taken=_OUT_OF_STEP
        )
        if answer.status_code not in _OUT_OF_STEP:
            return answer
        time.sleep(FIRST_PAUSE_S)
    return connection.send("HEAD", place, headers=_TUS)


def _offset(response: httpx.Response) -> int:
    try:
        return int(response.headers["Upload-Offset"])
    except (KeyError, ValueError) as error:
        raise ServerError(f"{response.url} does not say how much has arrived") from error
