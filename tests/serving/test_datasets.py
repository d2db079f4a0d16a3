"""Paired datasets over HTTP: what is told of them, and that real readers open them by URL."""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.manifest import SIDES, Specimen
from scopezoo.datasets.paired.publishing import publish
from scopezoo.datasets.paired.store import NewImage
from scopezoo.errors import FileError, UsageError
from scopezoo.formats import open_image
from scopezoo.serving.cross_origin import parse_origin
from scopezoo.serving.datasets import Datasets
from scopezoo.serving.settings import Token
from tests.datasets.paired.pairs import dataset, known_pair
from tests.datasets.paired.test_publishing import described
from tests.serving.live import live_server

BASE = "/api/v1/datasets"
VIEWER = "https://viewer.example"
SECRET = "a-secret-of-the-test"


@dataclass(frozen=True)
class Served:
    """One dataset, as a folder with the id `known` and as a zip with the id `packed`."""

    address: str
    folder: Path
    archive: Path

    def url(self, name: str, pair: str, side: str) -> str:
        return f"{self.address}{BASE}/{name}/fields/{pair}/{side}.ome.zarr"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("datasets")
    made = described(root / "known")
    shutil.copytree(root / "known", root / "packed")
    packed = Dataset.open(root / "packed")
    packed.update(lambda old: old.model_copy(update={"id": "packed"}))
    publish(packed, root / "packed.zip", published=date(2026, 1, 2))
    shutil.rmtree(root / "packed")
    add_what_is_not_of_it(root / "known")
    with live_server(
        root / "server",
        models=(),
        datasets=(str(made.location), str(root / "packed.zip")),
        allowed_origins=(VIEWER,),
    ) as address:
        yield Served(address, root / "known", root / "packed.zip")


def add_what_is_not_of_it(folder: Path) -> None:
    """Files, hidden ones, and links to them: in the dataset's folder, but none of its files."""
    level = folder / "fields/a_0/source.ome.zarr/0"
    (folder.parent / "secret.txt").write_text("secret")
    (folder / "notes.txt").write_text("secret")
    (level.parent / ".secret").write_text("secret")
    (level / "link").symlink_to(folder / "notes.txt")
    (level / "out").symlink_to(folder.parent / "secret.txt")
    (level / "linked").symlink_to(folder)


def test_what_there_is(served: Served) -> None:
    listed = httpx.get(served.address + BASE).json()["datasets"]
    assert [one["id"] for one in listed] == ["known", "packed"]
    assert listed[0]["parts"] == {"training": 1, "validation": 1, "test": 1}
    assert httpx.get(f"{served.address}/api/v1/info").json()["datasets"] == 2
    for name in ("known", "packed"):
        found = httpx.get(f"{served.address}{BASE}/{name}").json()
        manifest = Dataset.open(served.folder).manifest
        assert found["license"] == "CC-BY-4.0"
        assert found["cite_as"].startswith("Ada Example, Bo. Known pairs")
        for shown, pair in zip(found["pairs"], manifest.pairs, strict=True):
            assert (shown["id"], shown["specimen"]) == (pair.id, pair.specimen)
            assert manifest.split is not None
            assert shown["part"] == manifest.split.part_of(pair.specimen)
            assert shown["quality"]["passed"] is True
            for side in SIDES:
                folder = served.folder / pair.image(side).path
                plain = [p for p in folder.rglob("*") if not (p.is_symlink() or p.name[0] == ".")]
                size = sum(path.stat().st_size for path in plain if path.is_file())
                assert shown[side]["bytes"] == size
                assert shown[side]["sha256"] == pair.image(side).sha256
                assert served.address + shown[side]["url"] == served.url(name, pair.id, side)
        own = httpx.get(f"{served.address}{BASE}/{name}/dataset.json").json()
        assert own["pairs"] == manifest.model_dump(mode="json")["pairs"]


@pytest.mark.parametrize("name", ["known", "packed"])
def test_zarr_opens_an_image_by_its_url(served: Served, name: str) -> None:
    pytest.importorskip("aiohttp")
    for pair in Dataset.open(served.folder).pairs:
        for side in SIDES:
            group = zarr.open_group(served.url(name, pair.id, side), mode="r")
            here = zarr.open_group(str(served.folder / pair.image(side).path), mode="r")
            assert dict(group.attrs) == dict(here.attrs)
            assert np.array_equal(group["0"][:], here["0"][:])
            image = open_image(served.url(name, pair.id, side))
            assert image.pixel_size_um["X"] == pair.image(side).voxel_um.x


@pytest.mark.parametrize("name", ["known", "packed"])
def test_ome_zarr_opens_an_image_by_its_url(served: Served, name: str) -> None:
    io = pytest.importorskip("ome_zarr.io")
    reader = pytest.importorskip("ome_zarr.reader")
    location = io.parse_url(served.url(name, "a_0", "source"), mode="r")
    [node] = list(reader.Reader(location)())
    here = zarr.open_group(str(served.folder / "fields/a_0/source.ome.zarr"), mode="r")
    assert np.array_equal(np.asarray(node.data[0]), here["0"][:])
    if find_spec("napari_ome_zarr"):  # what napari opens URLs with
        plugin = import_module("napari_ome_zarr")
        url = served.url(name, "a_0", "source")
        [(levels, shown, _)] = plugin.napari_get_reader(url)(url)
        assert np.array_equal(np.asarray(levels[0]), here["0"][:])
        assert shown["scale"] == [0.4, 0.2, 0.2]


@settings(max_examples=40)
@given(first=st.integers(0, 2000), last=st.integers(0, 2000), kind=st.sampled_from("abc"))
@pytest.mark.parametrize("name", ["known", "packed"])
def test_a_part_is_that_part(served: Served, name: str, first: int, last: int, kind: str) -> None:
    url = f"{served.url(name, 'a_0', 'source')}/zarr.json"
    whole = _client.get(url)
    size = len(whole.content)
    asked = {"a": f"bytes={first}-{last}", "b": f"bytes={first}-", "c": f"bytes=-{last}"}[kind]
    found = _client.get(url, headers={"Range": asked})
    start, stop = {"a": (first, last + 1), "b": (first, size), "c": (max(0, size - last), size)}[
        kind
    ]
    if start >= min(stop, size):
        assert found.status_code == 416
        assert found.headers["content-range"] == f"bytes */{size}"
        return
    stop = min(stop, size)
    assert found.status_code == 206
    assert found.content == whole.content[start:stop]
    assert found.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
    assert found.headers["etag"] == whole.headers["etag"]


_client = httpx.Client()


@pytest.mark.parametrize("name", ["known", "packed"])
def test_head_and_conditions(served: Served, name: str) -> None:
    url = f"{served.url(name, 'a_0', 'source')}/0/c/0/0/0"
    whole = httpx.get(url)
    head = httpx.head(url)
    same = ("content-length", "etag", "last-modified", "accept-ranges", "cache-control")
    assert [head.headers[key] for key in same] == [whole.headers[key] for key in same]
    assert head.content == b""
    assert whole.headers["cache-control"] == "public, max-age=600"
    tag = whole.headers["etag"]
    assert httpx.get(url, headers={"If-None-Match": f'"x", W/{tag}'}).status_code == 304
    assert httpx.get(url, headers={"If-None-Match": '"x"'}).status_code == 200
    part = {"Range": "bytes=3-6"}
    assert httpx.get(url, headers={**part, "If-Range": tag}).content == whole.content[3:7]
    assert httpx.get(url, headers={**part, "If-Range": '"x"'}).content == whole.content
    for odd in (
        "bytes=-",
        "bytes=a-b",
        "bytes=1-2,5-6",
        "bytes",
        "lines=1-2",
        "bytes=1-" + "9" * 40,
    ):
        found = httpx.get(url, headers={"Range": odd})
        assert (found.status_code, found.content) == (200, whole.content), odd
    metadata = httpx.get(f"{served.url(name, 'a_0', 'source')}/zarr.json")
    assert metadata.headers["cache-control"] == "public, no-cache"
    assert metadata.headers["content-type"] == "application/json"


def raw_status(address: str, target: str) -> tuple[int, bytes]:
    """Without what clients do to a path."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.putrequest("GET", target)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.mark.parametrize("name", ["known", "packed"])
@pytest.mark.parametrize(
    "path",
    [
        "fields/a_0/source.ome.zarr/../../../dataset.json",
        "fields/a_0/source.ome.zarr/%2e%2e/%2e%2e/%2e%2e/dataset.json",
        "fields/a_0/source.ome.zarr/..%2f..%2f..%2fdataset.json",
        "fields/a_0/source.ome.zarr/..%5c..%5cdataset.json",
        "fields/a_0/source.ome.zarr//etc/passwd",
        "fields/a_0/source.ome.zarr/%2fetc%2fpasswd",
        "fields/a_0/source.ome.zarr/zarr.json%00",
        "fields/a_0/source.ome.zarr/0//zarr.json",
        "fields/a_0/source.ome.zarr/./zarr.json",
        "fields/a_0/source.ome.zarr/.secret",
        "fields/a_0/source.ome.zarr/0/link",
        "fields/a_0/source.ome.zarr/0/out",
        "fields/a_0/source.ome.zarr/0/linked/dataset.json",
        "fields/a_0/source.ome.zarr/0",
        "fields/a_0/source.ome.zarr/",
        "fields/a_0/source.ome.zarr/0/c/9/9/9",
        "fields/..%2f..%2fknown/source.ome.zarr/zarr.json",
        "fields/not_listed/source.ome.zarr/zarr.json",
        "fields/a_0/other.ome.zarr/zarr.json",
        ".dataset.lock",
        "notes.txt",
        "%2e%2e/known/dataset.json",
        "..%2fsecret.txt",
    ],
)
def test_nothing_else_is_served(served: Served, name: str, path: str) -> None:
    status, content = raw_status(served.address, f"{BASE}/{name}/{path}")
    assert status in (400, 404, 422), content
    assert b"secret" not in content.replace(path.encode(), b"").replace(b".secret", b"")
    assert str(served.folder).encode() not in content


def test_the_list_of_files_has_the_hash_of_the_manifest(served: Served) -> None:
    for name in ("known", "packed"):
        for pair in Dataset.open(served.folder).pairs:
            url = f"{served.address}{BASE}/{name}/fields/{pair.id}/target.files"
            lines = [json.loads(line) for line in httpx.get(url).text.splitlines()]
            hashed = sorted(
                (one for one in lines if "/" in one["name"]), key=lambda one: one["name"]
            )
            text = "".join(f"{one['sha256']}  {one['name']}\n" for one in hashed)
            assert hashlib.sha256(text.encode()).hexdigest() == pair.target.sha256
            for one in lines:
                content = httpx.get(f"{served.url(name, pair.id, 'target')}/{one['name']}").content
                assert len(content) == one["size"]
                assert hashlib.sha256(content).hexdigest() == one["sha256"]


def test_card_and_pictures(served: Served) -> None:
    for name in ("known", "packed"):
        base = f"{served.address}{BASE}/{name}"
        assert "<h2>Microscopes</h2>" in httpx.get(f"{base}/card").text
        assert "## Microscopes" in httpx.get(f"{base}/card?format=md").text
        cover = httpx.get(f"{base}/cover")
        assert cover.content.startswith(b"\x89PNG")
        again = httpx.get(f"{base}/cover", headers={"If-None-Match": cover.headers["etag"]})
        assert again.status_code == 304
        picture = httpx.get(f"{base}/fields/b_1/picture")
        assert picture.headers["content-type"] == "image/jpeg"
        assert picture.content.startswith(b"\xff\xd8")
        for file in ("README.md", "rdf.yaml", "ro-crate-metadata.json", "cover.png"):
            status = 200 if name == "packed" else 404  # `known` was not published yet
            assert httpx.get(f"{base}/{file}").status_code == status
            assert httpx.head(f"{base}/{file}").status_code == status
        assert httpx.get(f"{base}/dataset.schema.json").json()["title"] == "Manifest"
    for path in ("nothing", "known/fields/nothing/picture", "known/fields/nothing/source.files"):
        answer = httpx.get(f"{served.address}{BASE}/{path}")
        assert (answer.status_code, answer.json()["error"]["type"]) == (404, "NotFound")


def test_pages_of_allowed_sites_read_datasets_and_nothing_else(served: Served) -> None:
    url = f"{served.url('known', 'a_0', 'source')}/zarr.json"
    found = httpx.get(url, headers={"Origin": VIEWER, "Range": "bytes=0-3"})
    assert found.status_code == 206
    assert found.headers["access-control-allow-origin"] == VIEWER
    assert "Content-Range" in found.headers["access-control-expose-headers"]
    asked = {"Origin": VIEWER, "Access-Control-Request-Method": "GET"}
    asked["Access-Control-Request-Headers"] = "authorization, range"
    assert httpx.options(url, headers=asked).status_code == 200
    write = {**asked, "Access-Control-Request-Method": "POST"}
    assert httpx.options(url, headers=write).status_code == 400
    for other in ("https://else.example", "http://viewer.example", f"{VIEWER}:8443", "null"):
        refused = httpx.get(url, headers={"Origin": other})
        assert refused.status_code == 403, other
        assert "access-control-allow-origin" not in refused.headers
    for path in ("/api/v1/models", "/api/v1/datasetsx", "/api/v1/jobs", "/"):
        answer = httpx.get(served.address + path, headers={"Origin": VIEWER})
        assert answer.status_code == 403, path


def test_other_sites_are_refused_by_default_and_any_may_be_allowed(tmp_path: Path) -> None:
    made = dataset(tmp_path / "d", ["a"])
    options = {"models": (), "datasets": (str(made.location),)}
    with live_server(tmp_path / "off", **options) as address:
        answer = httpx.get(f"{address}{BASE}", headers={"Origin": VIEWER})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in httpx.get(f"{address}{BASE}").headers
    with live_server(tmp_path / "any", allowed_origins=("*",), **options) as address:
        answer = httpx.get(f"{address}{BASE}", headers={"Origin": VIEWER})
        assert answer.headers["access-control-allow-origin"] == "*"


def test_tokens_are_asked_for(tmp_path: Path) -> None:
    made = dataset(tmp_path / "d", ["a"])
    with live_server(
        tmp_path / "server",
        models=(),
        datasets=(str(made.location),),
        tokens=(Token("lab", "predict", SECRET),),
        allowed_origins=(VIEWER,),
    ) as address:
        url = f"{address}{BASE}/known/fields/a_0/source.ome.zarr/zarr.json"
        for path in (BASE, f"{BASE}/known", url.removeprefix(address)):
            assert httpx.get(address + path).status_code == 401
        known = {"Authorization": f"Bearer {SECRET}"}
        found = httpx.get(url, headers=known)
        assert found.headers["cache-control"] == "private, no-cache"
        before = {"Origin": VIEWER, "Access-Control-Request-Method": "GET"}
        before["Access-Control-Request-Headers"] = "authorization"
        assert httpx.options(url, headers=before).status_code == 200
        pytest.importorskip("aiohttp")
        group = zarr.open_group(
            url.removesuffix("/zarr.json"),
            mode="r",
            storage_options={"client_kwargs": {"headers": known}},
        )
        assert group["0"].shape == (12, 60, 64)


def test_what_changes_on_disk_is_seen(tmp_path: Path) -> None:
    made = dataset(tmp_path / "d", ["a"])
    (tmp_path / "d" / "README.md").write_text(
        "# Card\n<script>alert(1)</script><img src=x onerror=alert(1)>[x](javascript:alert(1))"
    )
    with live_server(tmp_path / "s", models=(), datasets=(str(made.location),)) as address:
        base = f"{address}{BASE}/known"
        shown = httpx.get(f"{base}/card").text
        assert "Card" in shown
        for active in ("<script", "<img", "onerror", 'href="javascript'):
            assert active not in shown
        assert len(httpx.get(base).json()["pairs"]) == 1
        source, target = known_pair(7)
        made.add("b_1", Specimen(id="b"), NewImage(source, "wide"), NewImage(target, "confocal"))
        assert [one["id"] for one in httpx.get(base).json()["pairs"]] == ["a_0", "b_1"]
        assert httpx.get(f"{base}/fields/b_1/source.ome.zarr/zarr.json").status_code == 200
        (tmp_path / "d" / "dataset.json").write_text("{}")
        answer = httpx.get(base)
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "FileError")
        assert str(tmp_path) not in answer.text
        assert httpx.get(f"{address}{BASE}").json() == {"datasets": []}


def test_what_cannot_be_served_is_told_at_the_start(tmp_path: Path) -> None:
    dataset(tmp_path / "d", ["a"])
    shutil.copytree(tmp_path / "d", tmp_path / "e")
    with pytest.raises(UsageError, match="both called 'known'"):
        Datasets([str(tmp_path / "d"), str(tmp_path / "e")])
    (tmp_path / "text.zip").write_text("no zip")
    for wrong in ("nothing", "text.zip", "e/fields"):
        with pytest.raises(FileError, match="dataset"):
            Datasets([str(tmp_path / wrong)])


def test_origins_are_checked() -> None:
    assert parse_origin("https://Viewer.example/") == "https://viewer.example"
    assert parse_origin("http://[::1]:8000") == "http://[::1]:8000"
    assert parse_origin("*") == "*"
    for wrong in ("viewer.example", "https://a/b", "ftp://a", "https://", "http://a:b"):
        with pytest.raises(UsageError, match="--allowed-origin"):
            parse_origin(wrong)
