"""Jobs over a real socket: what they give is what the command line gives."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tifffile

from scopezoo.formats import create_image, open_image
from tests.serving.jobs.command_line import command_line
from tests.serving.jobs.conftest import BOB, ROOT
from tests.serving.jobs.tus_client import VERSION, begin, patch, send

ENDED = ("done", "failed", "cancelled")


def as_caller(address: str, secret: str) -> httpx.Client:
    return httpx.Client(base_url=address, timeout=60, headers={"Authorization": f"Bearer {secret}"})


@pytest.fixture
def bob(address: str) -> Iterator[httpx.Client]:
    with as_caller(address, BOB) as client:
        yield client


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stack of planes with bright discs, with a pixel size."""
    rows, columns = np.mgrid[:90, :130]
    planes = [
        sum(
            200.0 * ((rows - y) ** 2 + (columns - x) ** 2 < 30)
            for y, x in ((20 + z, 30), (60, 70 + z), (40, 110))
        )
        for z in range(3)
    ]
    path = tmp_path_factory.mktemp("image") / "cells.tif"
    create = create_image(
        path,
        shape=(3, 90, 130),
        dtype=np.dtype("u1"),
        axes="ZYX",
        pixel_size_um={"Z": 1.0, "Y": 0.5, "X": 0.5},
    )
    create[:, :, :] = np.array(planes, np.uint8)
    create.close()
    return path


def submit(http: httpx.Client, model: str, given: dict[str, Any], **parameters: Any) -> Any:
    body = {"model": model, "input": given, "parameters": parameters}
    answer = http.post("/api/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == answer.json()["links"]["self"]
    return answer.json()


def ended(http: httpx.Client, job: Any) -> Any:
    deadline = time.monotonic() + 60
    while job["state"] not in ENDED:
        assert time.monotonic() < deadline, job
        time.sleep(0.02)
        job = http.get(job["links"]["self"]).json()
    return job


def content(http: httpx.Client, job: Any, kind: str) -> bytes:
    file = next(file for file in job["files"] if file["kind"] == kind)
    answer = http.get(file["url"])
    assert answer.status_code == 200
    assert len(answer.content) == file["size"]
    assert answer.headers["content-type"].startswith(file["media_type"])
    return answer.content


def test_a_job_gives_the_files_of_the_command_line(
    http: httpx.Client, image: Path, label_package: Path, tmp_path: Path
) -> None:
    upload = send(http, image.read_bytes(), "my cells.tif")
    options = {"axes": "ZYX", "tile": 64, "preview": True, "table": True, "rois": True}
    job = ended(http, submit(http, "discs", {"upload": upload}, **options))
    assert job["state"] == "done", job
    assert job["error"] is None
    assert job["seconds_left"] is None
    assert job["progress"]["done"] == job["progress"]["total"] > 3
    assert job["created"] <= job["started"] <= job["finished"] < job["expires"]

    same = tmp_path / "my_cells.tif"
    same.write_bytes(image.read_bytes())
    extras = ("--preview", "--table", "--rois")
    command_line(
        "predict", label_package, same, "-o", f"{tmp_path}/out/", "--tile=64", "--axes=ZYX", *extras
    )
    assert {file["name"] for file in job["files"]} == {
        path.name for path in (tmp_path / "out").iterdir()
    }
    for file in job["files"]:
        if file["kind"] != "record":
            expected = (tmp_path / "out" / file["name"]).read_bytes()
            assert http.get(file["url"]).content == expected, file["name"]
    labels = tifffile.imread(io.BytesIO(content(http, job, "result")))
    assert job["objects"] == labels.max() > 3
    record = json.loads(content(http, job, "record"))
    expected_record = json.loads((tmp_path / "out" / "my_cells.json").read_text())
    for key in ("model", "inputs", "tiling", "outputs", "warnings"):
        found, wanted = record[key], expected_record[key]
        if key == "inputs":
            assert found["raw"].pop("source") == "my_cells.tif"
            del wanted["raw"]["source"]
        assert found == wanted, key


def test_an_ome_zarr_under_a_root_gives_an_ome_zarr(
    http: httpx.Client, small_package: Path, disk: Path, tmp_path: Path
) -> None:
    path = disk / "plate 1" / "ä.ome.zarr"
    writer = create_image(path, shape=(150, 170), dtype=np.dtype("u2"), axes="YX")
    rng = np.random.default_rng(0)
    writer[:, :] = rng.integers(0, 4000, (150, 170)).astype(np.uint16)
    writer.close()
    job = ended(http, submit(http, "small", {"path": str(path)}, tile="y=64,x=80"))
    assert job["state"] == "done", job
    command_line(
        "predict", small_package, path, "-o", tmp_path / "ä.ome.zarr", "--tile", "y=64,x=80"
    )

    result = job["files"][0]
    assert (result["name"], result["media_type"]) == ("ä.ome.zarr", "application/vnd.zarr")
    archive = zipfile.ZipFile(io.BytesIO(http.get(result["url"], params={"format": "zip"}).content))
    archive.extractall(tmp_path / "unpacked")
    files = {
        p.relative_to(tmp_path): p for p in (tmp_path / "ä.ome.zarr").rglob("*") if p.is_file()
    }
    assert {str(name) for name in files} == set(archive.namelist())
    for name, file in files.items():
        assert file.read_bytes() == (tmp_path / "unpacked" / name).read_bytes(), name
        assert http.get(f"{result['url']}/{name.relative_to('ä.ome.zarr')}").content == (
            file.read_bytes()
        )
    assert http.head(result["url"], params={"format": "zip"}).content == b""
    assert http.get(result["url"]).status_code == 404
    assert result["size"] == sum(file.stat().st_size for file in files.values())
    assert json.loads(content(http, job, "record"))["inputs"]["raw"]["source"] == str(path)
    assert open_image(tmp_path / "unpacked" / "ä.ome.zarr").shape == (150, 170)


def test_a_part_of_a_file_and_only_files_of_the_job(http: httpx.Client, image: Path) -> None:
    job = ended(http, submit(http, "small", {"upload": send(http, image.read_bytes())}))
    url = job["files"][0]["url"]
    whole = http.get(url)
    assert whole.headers["content-disposition"] == 'attachment; filename="cells.tif"'
    part = http.get(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert http.head(url).headers["content-length"] == str(len(whole.content))
    base = f"{job['links']['self']}/files"
    for name in (
        "other.tif",
        "..%2F..%2Fjobs.sqlite",
        "%2e%2e/%2e%2e/jobs.sqlite",
        "%2Fetc%2Fpasswd",
        "cells.tif%2F..%2Fcells.tif",
        ".cells.partial/tiles.log",
        "cells.tif%00",
        "",
    ):
        answer = http.get(f"{base}/{name}")
        assert answer.status_code == 404, name
        assert answer.json()["error"]["type"] == "NotFound"


def test_the_sample_of_a_model(http: httpx.Client) -> None:
    job = ended(http, submit(http, "sampled", {"sample": True}, format="npy"))
    assert job["state"] == "done", job
    assert np.load(io.BytesIO(content(http, job, "result"))).shape == (24, 26)
    answer = http.post("/api/v1/jobs", json={"model": "small", "input": {"sample": True}})
    assert answer.status_code == 404  # this package brings none
    assert "no image to try" in answer.json()["error"]["message"]


def test_a_bad_image_fails_with_what_is_wrong(http: httpx.Client) -> None:
    upload = send(http, b"II*\0 this is no TIFF at all", "bad.tif")
    job = ended(http, submit(http, "small", {"upload": upload}))
    assert job["state"] == "failed"
    assert job["error"]["type"] == "ImageError"
    assert "bad.tif" in job["error"]["message"]
    assert "uploads" not in job["error"]["message"]  # nor where the server keeps it
    assert job["files"] == []
    empty = begin(http, 0, "empty.tif").headers["Location"].rpartition("/")[2]
    job = ended(http, submit(http, "small", {"upload": empty}))
    assert "empty.tif is empty" in job["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "none", "input": {"sample": True}}, 404),
        ({"model": "small"}, 400),
        ({"model": "small", "input": {}}, 400),
        ({"model": "small", "input": {"path": "/a", "sample": True}}, 400),
        ({"model": "small", "input": {"upload": "0" * 32}}, 404),
        ({"model": "small", "input": {"upload": "../x"}}, 404),
        ({"model": "small", "input": {"path": "/etc/passwd"}}, 403),
        ({"model": "small", "input": {"url": "http://127.0.0.1/a.ome.zarr"}}, 403),
        ({"model": "small", "inputs": {"other": {"sample": True}}}, 400),
        ({"model": "small", "input": {"path": "/a"}, "parameters": {"tile": "x"}}, 400),
        ({"model": "small", "input": {"path": "/a"}, "parameters": {"table": True}}, 400),
        ({"model": "small", "input": {"path": "/a"}, "parameters": {"format": "exe"}}, 400),
        ({"model": "small", "input": {"path": "/a"}, "parameters": {"trust": True}}, 400),
        ([], 400),
        ("x" * 200_000, 413),
    ],
)
def test_a_request_that_cannot_be_is_refused(http: httpx.Client, body: Any, status: int) -> None:
    answer = http.post("/api/v1/jobs", json=body)
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) == {"type", "message"}
    assert "\n" not in answer.json()["error"]["message"]


def test_an_upload_that_is_not_whole_waits_for_its_rest(http: httpx.Client, image: Path) -> None:
    data = image.read_bytes()
    url = begin(http, len(data)).headers["Location"]
    patch(http, url, 0, data[:100])
    given = {"model": "small", "input": {"upload": url.rpartition("/")[2]}}
    answer = http.post("/api/v1/jobs", json=given)
    assert answer.status_code == 409
    assert "send the rest" in answer.json()["error"]["message"]
    patch(http, url, 100, data[100:])
    job = http.post("/api/v1/jobs", json=given).json()
    assert ended(http, job)["state"] == "done"


def test_what_others_have_does_not_exist(
    http: httpx.Client, bob: httpx.Client, address: str, image: Path
) -> None:
    upload = send(http, image.read_bytes())
    mine = ended(http, submit(http, "small", {"upload": upload}))
    theirs = {"model": "small", "input": {"upload": upload}}
    assert bob.post("/api/v1/jobs", json=theirs).status_code == 404
    assert bob.head(f"/api/v1/uploads/{upload}", headers=VERSION).status_code == 404
    assert bob.delete(f"/api/v1/uploads/{upload}", headers=VERSION).status_code == 404
    links = mine["links"]
    assert bob.get(links["self"]).status_code == 404
    assert bob.get(mine["files"][0]["url"]).status_code == 404
    assert bob.post(links["cancel"]).status_code == 404
    assert bob.delete(links["self"]).status_code == 404
    assert bob.get("/api/v1/jobs").json() == {"jobs": []}
    assert httpx.get(address + links["self"]).status_code == 401
    listed = http.get("/api/v1/jobs").json()["jobs"]
    assert listed[0] == mine
    with as_caller(address, ROOT) as admin:
        assert admin.get(links["self"]).json() == mine
        assert mine["id"] in [job["id"] for job in admin.get("/api/v1/jobs").json()["jobs"]]


def test_cancel_and_delete_at_any_time(http: httpx.Client, disk: Path) -> None:
    big = disk / "big.npy"
    np.save(big, np.random.default_rng(0).random((900, 900), np.float32))
    running = submit(http, "small", {"path": str(big)}, tile=32)
    waiting = submit(http, "small", {"path": str(big)}, tile=32)
    deleted = submit(http, "small", {"path": str(big)}, tile=32)
    while http.get(running["links"]["self"]).json()["progress"]["done"] == 0:
        time.sleep(0.005)
    assert http.get(waiting["links"]["self"]).json()["state"] == "queued"
    assert http.delete(deleted["links"]["self"]).status_code == 204
    assert http.get(deleted["links"]["self"]).status_code == 404
    for job in (waiting, running):
        answer = http.post(job["links"]["cancel"])
        assert answer.status_code == 200
        assert answer.json()["state"] == "cancelled"
        assert http.post(job["links"]["cancel"]).status_code == 409
    again = submit(http, "small", {"path": str(big)}, tile=32)
    while http.get(again["links"]["self"]).json()["progress"]["done"] == 0:
        time.sleep(0.005)
    assert http.delete(again["links"]["self"]).status_code == 204
    assert http.get(again["links"]["self"]).status_code == 404
    last = ended(http, submit(http, "small", {"path": str(big)}, format="npy"))
    assert (last["state"], last["files"][0]["name"]) == ("done", "big.npy")


def test_metrics_tell_of_jobs(http: httpx.Client) -> None:
    assert 'scopezoo_jobs{state="running"} 0.0' in http.get("/metrics").text


def test_the_examples_of_the_api_work(http: httpx.Client) -> None:
    api = http.get("/openapi.json").json()
    schema = api["paths"]["/api/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
    example = schema["schema"]["example"]
    answer = http.post("/api/v1/jobs", json=example)
    assert answer.status_code == 404  # this server has another model: all else is right
    assert "no model 'nuclei-stardist-2d'" in answer.json()["error"]["message"]
