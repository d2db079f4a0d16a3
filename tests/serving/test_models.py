"""The models' routes, and what strangers put into packages."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import httpx
import pytest
import tifffile

from scopezoo.serving.cards import card_html, safe_svg
from scopezoo.store import open_package
from tests.serving.live import live_server
from tests.small_models import encoder_decoder, image_model, write_package

NUCLEI = "/api/v1/models/nuclei-stardist-2d"


def test_models_are_listed_and_found(http: httpx.Client) -> None:
    def ids(**query: str) -> list[str]:
        found = http.get("/api/v1/models", params=query).raise_for_status().json()["models"]
        return [entry["id"] for entry in found]

    assert ids() == ["nuclei-stardist-2d", "small"]
    assert ids(q="nuclei dapi") == ["nuclei-stardist-2d"]
    assert ids(task="segmentation") == ["nuclei-stardist-2d"]
    assert ids(dataset="dsb2018", axes="yx") == ["nuclei-stardist-2d"]
    assert ids(axes="ZYX") == ids(q="no such word") == []


def test_every_link_of_a_model_answers(http: httpx.Client) -> None:
    entry = http.get(NUCLEI).raise_for_status().json()
    assert entry["outputs"] == [{"id": "labels", "kind": "labels"}]
    assert entry["citations"]
    assert entry["limitations"]
    for name, link in entry["links"].items():
        if name != "predict":
            assert http.get(link).status_code == 200, name


def test_a_package_downloads_in_parts_and_once(http: httpx.Client) -> None:
    whole = http.get(f"{NUCLEI}/package")
    tag = whole.headers["etag"]
    with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
        assert "rdf.yaml" in archive.namelist()
        assert archive.testzip() is None
    part = http.get(f"{NUCLEI}/package", headers={"Range": "bytes=10-99"})
    assert part.status_code == 206
    assert part.content == whole.content[10:100]
    again = http.get(f"{NUCLEI}/package", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_the_sample_is_an_image(http: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "sample.tif").write_bytes(http.get(f"{NUCLEI}/sample").content)
    assert tifffile.imread(tmp_path / "sample.tif").ndim == 2


def test_a_model_that_is_not_there(http: httpx.Client) -> None:
    for path in ("", "/card", "/package", "/sample"):
        answer = http.get(f"/api/v1/models/nothing{path}")
        assert answer.status_code == 404
        assert "nothing" in answer.json()["error"]["message"]
    assert http.get("/api/v1/models/..%2f..%2fetc%2fpasswd/card").status_code == 404


def test_a_card_has_no_scripts(tmp_path: Path) -> None:
    rdf = image_model() | {"documentation": "README.md"}
    folder = write_package(tmp_path / "evil", rdf, encoder_decoder())
    (folder / "README.md").write_text(
        "# Good\n<script>alert(1)</script>\n<img src=x onerror=alert(1)>\n"
        "[a](javascript:alert(1)) <a href='data:text/html,x' onclick='y'>b</a>\n\n"
        "| t |\n|---|\n| 1 |\n<iframe src='http://x'></iframe><style>*{}</style>"
        "<form action='http://x'><input></form><svg onload=alert(1)></svg>"
    )
    html = card_html(open_package(folder)).lower()
    assert "<h1>good</h1>" in html
    assert "<table>" in html
    for bad in ("<script", "onerror", 'href="javascript', "data:", "onclick", "<iframe", "<style"):
        assert bad not in html
    for bad in ("<form", "<img", "<svg", "onload"):
        assert bad not in html


def test_a_cover_in_svg_keeps_its_shapes_alone() -> None:
    svg = (
        b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        b'onload="x()"><script>alert(1)</script><circle r="4" fill="url(http://x)" onclick="y"/>'
        b'<a xlink:href="javascript:x"><rect/></a><image href="http://x"/><foreignObject/>'
        b'<path d="M0 0" style="background:url(x)" fill="url(#g)"/></svg>'
    )
    safe = safe_svg(svg)
    assert safe is not None
    assert b"<circle" in safe
    assert b'fill="url(#g)"' in safe
    for bad in (b"script", b"onload", b"onclick", b"http://x", b"href", b"foreignObject", b"style"):
        assert bad not in safe
    assert safe_svg(b'<!DOCTYPE svg [<!ENTITY a "b">]>' + svg) is None
    assert safe_svg(b"<html><svg/></html>") is None
    assert safe_svg(b"\x00\x01") is None


@pytest.fixture
def package_zip() -> bytes:
    """The collection's own package with another id, so that it passes every check."""
    from scopezoo.store.collection import collection_folder

    source = collection_folder() / "models" / "nuclei-stardist-2d"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in source.iterdir():
            content = path.read_bytes()
            if path.name == "rdf.yaml":
                content = content.replace(b"id: nuclei-stardist-2d", b"id: added-model", 1)
            archive.writestr(path.name, content)
    return packed.getvalue()


def test_an_admin_adds_a_package(tmp_path: Path, small_package: Path, package_zip: bytes) -> None:
    folder = tmp_path / "server"
    with live_server(folder, models=(str(small_package),)) as address:
        answer = httpx.post(f"{address}/api/v1/models", content=package_zip, timeout=120)
        assert answer.status_code == 201, answer.text
        assert answer.json()["id"] == "added-model"
        bad = httpx.post(f"{address}/api/v1/models", content=b"PK no zip", timeout=120)
        assert bad.status_code == 422
        assert bad.json()["error"]["checks"]
    assert len(list((folder / "quarantine").iterdir())) == 1
    with live_server(folder, models=(str(small_package),)) as address:  # it is there again
        assert httpx.get(f"{address}/api/v1/models/added-model").status_code == 200
