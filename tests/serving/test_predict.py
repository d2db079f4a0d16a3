"""Prediction over HTTP gives what the command line gives."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from scopezoo.image import Image
from scopezoo.predict import Extras, predict

NUCLEI = "nuclei-stardist-2d"


def send(http: httpx.Client, path: Path, model: str = NUCLEI, **query: str) -> httpx.Response:
    return http.post(f"/api/v1/models/{model}/predict", params=query, content=path.read_bytes())


@pytest.fixture
def sample(http: httpx.Client, tmp_path: Path) -> Path:
    path = tmp_path / "sample.tif"
    path.write_bytes(http.get(f"/api/v1/models/{NUCLEI}/sample").content)
    return path


def test_every_form_is_the_file_of_the_command_line(
    http: httpx.Client, sample: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", "from scopezoo.cli import main; main()", "predict", NUCLEI]
    options = ["--preview", "--table", "--rois", "--quiet"]
    subprocess.run([*command, str(sample), "-o", f"{tmp_path}/result.tif", *options], check=True)
    files = {
        "tif": "result.tif",
        "labels": "result.tif",
        "png": "result.preview.png",
        "csv": "result.csv",
        "rois": "result.rois.zip",
    }
    for form, name in files.items():
        answer = send(http, sample, format=form).raise_for_status()
        assert answer.content == (tmp_path / name).read_bytes(), form
    record = send(http, sample, format="json").raise_for_status().json()
    own = json.loads((tmp_path / "result.json").read_text())
    assert record["model"] == own["model"]
    assert record["inputs"]["image"]["source"] == "image.tif"
    packed = send(http, sample, format="zip").raise_for_status().content
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.read("result.csv") == (tmp_path / "result.csv").read_bytes()
        assert str(tmp_path) not in archive.read("result.json").decode()
    with zipfile.ZipFile(io.BytesIO(send(http, sample, format="zip", table="1").content)) as few:
        assert set(few.namelist()) == {"result.tif", "result.csv", "result.json"}


def test_any_kind_of_image_goes_in(http: httpx.Client, plane: Path, tmp_path: Path) -> None:
    pixels = tifffile.imread(plane)
    np.save(tmp_path / "plane.npy", pixels)
    Picture.fromarray(pixels).save(tmp_path / "plane.png")
    tifffile.imwrite(tmp_path / "stack.ome.tif", np.stack([pixels] * 3), metadata={"axes": "ZYX"})
    for name in ("plane.npy", "plane.png", "stack.ome.tif"):
        local = predict(str_model(http), tmp_path / name, tmp_path / f"{name}.result.tif")
        answer = send(http, tmp_path / name, "small").raise_for_status()
        assert answer.content == local.files[0].read_bytes(), name


def pixels_of(image: Image) -> np.ndarray:
    return image.data[tuple(slice(0, size) for size in image.shape)]


def str_model(http: httpx.Client) -> Path:
    """The served small package, by its download: what a client would run by itself."""
    path = Path(http.headers["x-test-folder"]) / "small.zip"
    path.write_bytes(http.get("/api/v1/models/small/package").content)
    return path


@pytest.fixture(autouse=True)
def _folder(http: httpx.Client, tmp_path: Path) -> Iterator[None]:
    http.headers["x-test-folder"] = str(tmp_path)
    return


def test_parameters_come_by_query_or_by_form(http: httpx.Client, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = (rng.random((2, 40, 50)) * 255).astype(np.uint8)
    np.save(tmp_path / "two.npy", pixels)
    by_query = send(http, tmp_path / "two.npy", "small", axes="CYX", channel="1", tile="32")
    by_form = http.post(
        "/api/v1/models/small/predict",
        files={"image": ("two.npy", (tmp_path / "two.npy").read_bytes())},
        data={"axes": "CYX", "channel": "1", "tile": "32"},
    )
    local = predict(str_model(http), pixels, axes="CYX", channel="1")
    assert by_query.content == by_form.content
    found = tifffile.imread(io.BytesIO(by_query.content))
    np.testing.assert_allclose(found, np.squeeze(pixels_of(local.images["out"])), atol=1e-5)
    assert 'filename="two.tif"' in by_form.headers["content-disposition"]


def test_accept_chooses_the_form(http: httpx.Client, plane: Path) -> None:
    def answer(accept: str) -> httpx.Response:
        return http.post(
            "/api/v1/models/small/predict",
            content=plane.read_bytes(),
            headers={"Accept": accept},
        )

    assert answer("image/png").content.startswith(b"\x89PNG")
    assert answer("application/x-npy, */*").content.startswith(b"\x93NUMPY")
    assert answer("text/html, */*;q=0.1").content.startswith(b"II*\0")
    assert answer("text/csv").status_code == 406  # it gives no labels
    assert answer("video/mp4").status_code == 406


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"not an image at all", 415), (b"II*\0\xff\xff\xff\xff", 422)],
)
def test_what_is_no_image_is_refused(http: httpx.Client, body: bytes, status: int) -> None:
    answer = http.post("/api/v1/models/small/predict", content=body)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_wrong_parameters_are_refused(http: httpx.Client, plane: Path) -> None:
    for query in ({"axes": "QQ"}, {"channel": "7"}, {"tile": "x"}, {"format": "mp4"}):
        answer = send(http, plane, "small", **query)
        assert answer.status_code in (400, 406, 422), (query, answer.text)
        assert "scratch" not in answer.text
    assert send(http, plane, "small", output="nothing").status_code == 400
    assert send(http, plane, "small", precision="int4").status_code == 400
    assert send(http, plane, "none-such").status_code == 404


def test_a_tiff_that_lies_about_its_size_takes_no_memory(
    http: httpx.Client, tmp_path: Path
) -> None:
    path = tmp_path / "lie.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8))
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        for name in ("ImageWidth", "ImageLength"):
            tag = file.pages[0].tags[name]
            content[tag.valueoffset : tag.valueoffset + 2] = b"\xff\xff"
    answer = http.post("/api/v1/models/small/predict", content=bytes(content))
    assert answer.status_code == 422


def test_too_large_a_body_is_refused_before_it_is_read(http: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(30):
            yield bytes(1_000_000)

    url = http.base_url
    with socket.create_connection((url.host, url.port or 80), timeout=30) as raw:
        raw.sendall(
            b"POST /api/v1/models/small/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Length: 999999999\r\n\r\n"
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 413")
    chunked = http.post("/api/v1/models/small/predict", content=endless())
    assert chunked.status_code == 413
    form = http.post("/api/v1/models/small/predict", files={"image": bytes(21_000_000)})
    assert form.status_code == 413


def test_extras_of_the_engine_are_the_same(sample: Path, tmp_path: Path) -> None:
    """What the tests above compare with is more than a copy of the server's own path."""
    result = predict(NUCLEI, sample, tmp_path / "r.tif", extras=Extras(table=True))
    assert len((tmp_path / "r.csv").read_text().splitlines()) - 1 == int(
        pixels_of(result.images["labels"]).max()
    )
