"""Uploads in parts: the server has what it acknowledged, whatever a client does."""

from __future__ import annotations

import base64
import errno
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scopezoo.serving.errors import HttpError
from scopezoo.serving.jobs import uploads as uploads_module
from scopezoo.serving.jobs.database import Database
from scopezoo.serving.jobs.store import JobStore
from scopezoo.serving.jobs.uploads import Uploads
from tests.serving.jobs.tus_client import VERSION, begin, patch, received

CONTENT = bytes(range(256)) * 3


@contextmanager
def opened(folder: Path, **limits: float) -> Iterator[tuple[Uploads, Database]]:
    chosen = {"max_bytes": 10_000, "quota_bytes": 30_000, "keep_s": 3600.0, **limits}
    (folder / "uploads").mkdir(exist_ok=True)
    database = Database(folder / "jobs.sqlite")
    try:
        yield Uploads(folder / "uploads", database, **chosen), database  # type: ignore[arg-type]
    finally:
        database.close()


PARTS = st.lists(
    st.tuples(st.integers(0, len(CONTENT) + 20), st.integers(0, 400), st.booleans()), max_size=8
)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(PARTS)
def test_any_parts_in_any_order_give_the_bytes_or_a_refusal(
    http: httpx.Client, parts: list[tuple[int, int, bool]]
) -> None:
    """Only a part that begins at the end and fits is taken; all others change nothing."""
    url = begin(http, len(CONTENT)).headers["Location"]
    have = 0
    for start, size, declared in parts:
        start = have if start % 2 else start  # half of them where the server is
        part = (CONTENT * 2)[start : start + size]
        answer = patch(http, url, start, part if declared else iter([part[:7], part[7:]]))
        if start != have:
            assert answer.status_code == 409
        elif start + size > len(CONTENT):
            assert answer.status_code == 413
        else:
            assert answer.status_code == 204
            have = start + size
            assert answer.headers["Upload-Offset"] == str(have)
        assert received(http, url) == have
    assert patch(http, url, have, CONTENT[have:]).status_code == 204
    assert received(http, url) == len(CONTENT)
    assert http.delete(url, headers=VERSION).status_code == 204
    assert http.head(url, headers=VERSION).status_code == 404


def test_a_broken_connection_keeps_what_came(http: httpx.Client, address: str) -> None:
    url = begin(http, 3_000_000).headers["Location"]
    place = urlsplit(address)
    with socket.create_connection((place.hostname or "", place.port or 0)) as raw:
        raw.sendall(
            f"PATCH {url} HTTP/1.1\r\nHost: {place.netloc}\r\nTus-Resumable: 1.0.0\r\n"
            "Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\n"
            "Content-Length: 3000000\r\n\r\n".encode()
        )
        raw.sendall(b"a" * 1_500_000)
    deadline = time.monotonic() + 20
    while (answer := patch(http, url, received(http, url), b"")).status_code == 423:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert answer.status_code == 204
    have = received(http, url)
    assert have <= 1_500_000
    assert patch(http, url, have, b"a" * (3_000_000 - have)).status_code == 204
    assert received(http, url) == 3_000_000


def test_the_file_is_what_was_sent(tmp_path: Path) -> None:
    with opened(tmp_path) as (uploads, _):
        upload = uploads.create("ann", "../../etc/über cells.ome.tif", 6)
        uploads.append(upload, b"abc")
        uploads.append(upload, b"def")
        assert upload.path.read_bytes() == b"abcdef"
        assert upload.path.parent.parent == uploads.folder
        assert upload.filename == "über_cells.ome.tif"


def test_an_upload_survives_the_server(tmp_path: Path) -> None:
    with opened(tmp_path) as (uploads, _):
        name = uploads.create("ann", "a.tif", 6, "filename YS50aWY=").id
        uploads.append(uploads.get(name), b"abc")
    with opened(tmp_path) as (uploads, _):
        upload = uploads.get(name)
        assert (upload.owner, upload.offset, upload.length) == ("ann", 3, 6)
        assert upload.metadata == "filename YS50aWY="


def test_room_is_reserved_when_an_upload_begins(tmp_path: Path) -> None:
    with opened(tmp_path) as (uploads, _):
        with pytest.raises(HttpError, match="at most 10000") as refused:
            uploads.create("ann", "a.tif", 10_001)
        assert refused.value.status == 413
        names = [uploads.create("ann", "a.tif", 10_000).id for _ in range(3)]
        with pytest.raises(HttpError, match="no room") as refused:
            uploads.create("bob", "a.tif", 1)
        assert refused.value.status == 503
        uploads.remove(names[0])
        uploads.create("bob", "a.tif", 1)


def test_uploads_leave_space_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = uploads_module.SPARE_BYTES + 100

    monkeypatch.setattr(uploads_module.shutil, "disk_usage", lambda _: Usage)
    with opened(tmp_path) as (uploads, _):
        first = uploads.create("ann", "a.tif", 80)
        with pytest.raises(HttpError, match="too little space"):
            uploads.create("ann", "b.tif", 80)
        uploads.append(first, b"x" * 80)  # no longer to come: the disk has it already
        uploads.create("ann", "b.tif", 80)


def test_what_is_still_to_come_is_known_after_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = uploads_module.SPARE_BYTES + 100

    with opened(tmp_path) as (uploads, _):
        first = uploads.create("ann", "a.tif", 80)
        uploads.append(first, b"x" * 50)
    monkeypatch.setattr(uploads_module.shutil, "disk_usage", lambda _: Usage)
    with opened(tmp_path) as (uploads, _):
        with pytest.raises(HttpError, match="too little space"):
            uploads.create("ann", "b.tif", 71)
        uploads.create("ann", "b.tif", 70)
        uploads.remove(first.id)
        uploads.create("ann", "b.tif", 30)
        with pytest.raises(HttpError, match="too little space"):
            uploads.create("ann", "b.tif", 1)


def test_one_owner_has_so_many_uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads_module, "MAX_OWN", 3)
    with opened(tmp_path) as (uploads, _):
        names = [uploads.create("ann", "a.tif", 0).id for _ in range(3)]
        with pytest.raises(HttpError, match="delete some") as refused:
            uploads.create("ann", "a.tif", 0)
        assert refused.value.status == 503
        uploads.create("bob", "a.tif", 0)
        uploads.remove(names[0])
        uploads.create("ann", "a.tif", 0)


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with opened(tmp_path) as (uploads, _):
        upload = uploads.create("ann", "a.tif", 80)
        monkeypatch.setattr(uploads_module.os, "write", full)
        with pytest.raises(HttpError, match="No space left") as refused:
            uploads.append(upload, b"abc")
        assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "600")
        assert upload.offset == 0


def test_uploads_expire_unless_a_job_needs_them(tmp_path: Path) -> None:
    with opened(tmp_path, keep_s=-1.0) as (uploads, database):
        jobs = JobStore(database)
        needed, idle = (uploads.create("ann", "a.tif", 0).id for _ in range(2))
        partial = uploads.create("ann", "a.tif", 5).id
        job = jobs.add("ann", "m", {}, [needed])
        with pytest.raises(HttpError, match="cancel the job first"):
            uploads.remove(needed)
        (uploads.folder / ("0" * 32)).mkdir()  # of a server that was killed here
        uploads.sweep()
        assert {path.name for path in uploads.folder.iterdir()} == {needed, partial}
        with pytest.raises(HttpError, match="no upload"):
            uploads.get(idle)
        jobs.cancel(job.id, 1.0)
        uploads.sweep()
        assert {path.name for path in uploads.folder.iterdir()} == {partial}


def test_a_partial_upload_expires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads_module, "PARTIAL_KEEP_S", -1.0)
    with opened(tmp_path) as (uploads, _):
        name = uploads.create("ann", "a.tif", 5).id
        with uploads.claimed(name):
            uploads.sweep()
        assert uploads.get(name).offset == 0  # a part was coming in
        uploads.sweep()
        with pytest.raises(HttpError, match="no upload"):
            uploads.get(name)


def test_one_request_at_a_time_writes_to_an_upload(tmp_path: Path) -> None:
    with opened(tmp_path) as (uploads, _):
        name = uploads.create("ann", "a.tif", 5).id
        with (
            uploads.claimed(name),
            pytest.raises(HttpError, match="another request"),
            uploads.claimed(name),
        ):
            pass
        with uploads.claimed(name):
            pass


def test_what_is_no_tus_is_refused(http: httpx.Client) -> None:
    post = "/api/v1/uploads"
    assert http.post(post, headers={"Upload-Length": "5"}).status_code == 412
    for length in ("", "-1", "1e3", "²", "9" * 30):
        headers = {**VERSION, "Upload-Length": length.encode()}
        assert http.post(post, headers=headers).status_code == 400, length
    bad = {**VERSION, "Upload-Length": "5", "Upload-Metadata": "filename %%%"}
    assert http.post(post, headers=bad).status_code == 400
    assert begin(http, 10**15).status_code == 413
    url = begin(http, 5).headers["Location"]
    answer = http.patch(url, headers={**VERSION, "Upload-Offset": "0"}, content=b"abcde")
    assert answer.status_code == 415
    assert answer.json()["error"]["message"]
    assert patch(http, "/api/v1/uploads/..%2F..%2Fx", 0, b"").status_code == 404
    assert received(http, url) == 0


def test_the_server_says_what_it_can(http: httpx.Client) -> None:
    answer = http.options("/api/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert set(answer.headers["Tus-Extension"].split(",")) == {
        "creation",
        "termination",
        "expiration",
    }
    assert int(answer.headers["Tus-Max-Size"]) > 0
    url = begin(http, 5, "cells é.tif").headers["Location"]
    head = http.head(url, headers=VERSION)
    assert head.headers["Cache-Control"] == "no-store"
    assert head.headers["Upload-Length"] == "5"
    assert head.headers["Upload-Expires"].endswith("GMT")
    name = head.headers["Upload-Metadata"].removeprefix("filename ")
    assert base64.b64decode(name).decode() == "cells é.tif"


def test_a_client_that_can_only_post(http: httpx.Client) -> None:
    url = begin(http, 3).headers["Location"]
    headers = {
        **VERSION,
        "X-HTTP-Method-Override": "PATCH",
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": "0",
    }
    assert http.post(url, headers=headers, content=b"abc").status_code == 204
    assert received(http, url) == 3
    assert http.post(url, headers=VERSION).status_code == 405
