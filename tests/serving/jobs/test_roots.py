"""Nothing outside the operator's roots is read, however it is written."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from scopezoo.errors import ImageError, UsageError
from scopezoo.formats import create_image, open_image
from scopezoo.serving.errors import HttpError
from scopezoo.serving.jobs.roots import Roots, refuse_redirects


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root `data`, a neighbour of it, and the server's own folder inside the root."""
    place = tmp_path_factory.mktemp("place")
    for name in ("data/in", "data/server", "data2", "secret"):
        (place / name).mkdir(parents=True)
    for name in ("data/in/a.tif", "data2/a.tif", "secret/a.tif", "data/server/jobs.sqlite"):
        (place / name).write_bytes(b"x")
    (place / "data" / "out").symlink_to(place / "secret")
    (place / "data" / "inner").symlink_to(place / "data" / "in")
    return place


def roots_of(place: Path) -> Roots:
    return Roots([f"{place}/data/"], place / "data" / "server")


PIECES = st.lists(
    st.sampled_from(
        ["..", ".", "", "data", "data2", "in", "out", "inner", "secret", "server", "a.tif", "~"]
    ),
    max_size=7,
)


@given(PIECES)
def test_a_path_leads_into_the_root_or_is_refused(place: Path, pieces: list[str]) -> None:
    text = "/".join([str(place), *pieces])
    try:
        real = roots_of(place).path(text)
    except (HttpError, ImageError):
        return
    assert real == Path(os.path.realpath(text))
    assert real.is_relative_to(place / "data")
    assert not real.is_relative_to(place / "data" / "server")


def test_what_is_under_a_root_is_found(place: Path) -> None:
    roots = roots_of(place)
    assert roots.path(f"{place}/data/in/a.tif") == place / "data" / "in" / "a.tif"
    assert roots.path(f"{place}/data/inner/a.tif") == place / "data" / "in" / "a.tif"
    with pytest.raises(ImageError, match="does not exist"):
        roots.path(f"{place}/data/in/b.tif")


@pytest.mark.parametrize(
    "text",
    [
        "{}/data/out/a.tif",
        "{}/data2/a.tif",
        "{}/secret/a.tif",
        "{}/secret/not-there.tif",
        "{}/data/in/../../secret/a.tif",
        "{}/data/server/jobs.sqlite",
        "{}/data/in::file:///etc/passwd",
        "{}/data/in/a.tif\0",
        "data/in/a.tif",
        "file://{}/data/in/a.tif",
        "",
    ],
)
def test_what_is_not_is_refused_whether_it_exists_or_not(place: Path, text: str) -> None:
    with pytest.raises(HttpError, match="may not be read") as refused:
        roots_of(place).path(text.format(place))
    assert refused.value.status == 403


def test_a_root_that_is_a_link_holds_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "disk7").mkdir()
    (tmp_path / "disk7" / "a.tif").touch()
    (tmp_path / "data").symlink_to(tmp_path / "disk7")
    roots = Roots([str(tmp_path / "data")], tmp_path / "server")
    for form in ("data", "disk7"):
        assert roots.path(f"{tmp_path}/{form}/a.tif") == tmp_path / "disk7" / "a.tif"


def test_without_roots_everything_is_refused(tmp_path: Path) -> None:
    roots = Roots([], tmp_path)
    for call in (roots.path, roots.url):
        for text in ("/", str(tmp_path), "http://127.0.0.1/a.ome.zarr"):
            with pytest.raises(HttpError, match="may not be read"):
                call(text)


def test_a_link_in_an_ome_zarr_is_not_followed(tmp_path: Path) -> None:
    roots = Roots([str(tmp_path)], tmp_path / "server")
    image = tmp_path / "a.ome.zarr"
    create_image(image, shape=(8, 8), dtype=np.dtype("u1"), axes="YX").close()
    roots.check_content(image)
    (image / "deep" / "er").mkdir(parents=True)
    (image / "deep" / "er" / "c").symlink_to("/etc")
    with pytest.raises(HttpError, match="holds the link c") as refused:
        roots.check_content(image)
    assert refused.value.status == 403
    (image / "deep" / "er" / "c").unlink()
    os.mkfifo(image / "deep" / "pipe")
    with pytest.raises(ImageError, match="pipe, which is no file"):
        roots.check_content(image)


def test_a_tiff_whose_pixels_are_elsewhere_is_refused(tmp_path: Path) -> None:
    root, secret = tmp_path / "root", tmp_path / "secret"
    root.mkdir()
    secret.mkdir()
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    tifffile.imwrite(secret / "b.tif", pixels)
    other = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="8" SizeY="8" SizeZ="1" '
        'SizeC="1" SizeT="1"><TiffData IFD="0"><UUID FileName="b.tif">urn:uuid:b</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    tifffile.imwrite(root / "a.ome.tif", pixels * 0, description=other, metadata=None)
    roots = Roots([str(root)], tmp_path / "server")
    (root / "b.tif").symlink_to(secret / "b.tif")
    np.testing.assert_array_equal(open_image(root / "a.ome.tif").read(), pixels)  # it would work
    with pytest.raises(HttpError, match="pixels in another file"):
        roots.check_content(root / "a.ome.tif")
    (root / "b.tif").unlink()
    tifffile.imwrite(root / "b.tif", pixels)
    roots.check_content(root / "a.ome.tif")


URL = "https://data.example.org/images"


@pytest.mark.parametrize(
    "text",
    [
        URL,
        f"{URL}/a.ome.zarr",
        "HTTPS://Data.Example.ORG/images/a/b.ome.zarr",
        "https://data.example.org:443/images/a.ome.zarr",
        "https://data.example.org./images/a%20b.ome.zarr",
    ],
)
def test_a_url_under_a_root_is_allowed(tmp_path: Path, text: str) -> None:
    for root in (URL, f"{URL}/"):
        assert Roots([root], tmp_path).url(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "http://data.example.org/images/a",
        "https://data.example.org:8443/images/a",
        "https://data.example.org/images2/a",
        "https://data.example.org/",
        "https://evil.org/images/a",
        "https://data.example.org.evil.org/images/a",
        "https://data.example.org@evil.org/images/a",
        "https://me:pw@data.example.org/images/a",
        "https://data.example.org/images/../private/a",
        "https://data.example.org/images/%2e%2e/private/a",
        "https://data.example.org/images/%2E./private/a",
        "https://data.example.org/images/..%2fprivate/a",
        "https://data.example.org/images/a?b=c",
        "https://data.example.org/images/a#b",
        "https://data.example.org/images/a::file:///etc",
        "https://data.example.org/images\\..\\a",
        "https://data.example.org/images/a\nb",
        "https://data.example.org:x/images/a",
        "https://[::1/images/a",
        "https://dätä.example.org/images/a",
        "file:///etc/passwd",
        "ftp://data.example.org/images/a",
        "//data.example.org/images/a",
        "",
    ],
)
def test_other_urls_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(HttpError, match="may not be read"):
        Roots([URL], tmp_path).url(text)


@pytest.mark.parametrize(
    "root", ["data", "/a/../b", "https://me:pw@host/", "ftp://host/", "s3://b"]
)
def test_a_root_that_cannot_be_is_told(tmp_path: Path, root: str) -> None:
    with pytest.raises(UsageError, match="--root"):
        Roots([root], tmp_path)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """Serves `tmp_path`; what is asked of `/moved/` is sent to `/`."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:  # http.server's own name
            if self.path.startswith("/moved/"):
                self.send_response(302)
                self.send_header("Location", self.path.removeprefix("/moved"))
                self.end_headers()
            else:
                super().do_GET()

        def log_message(self, *_: Any) -> None:
            """Tests are quiet."""

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=str(tmp_path))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_url_that_sends_elsewhere_is_not_followed(
    tmp_path: Path, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = create_image(tmp_path / "a.ome.zarr", shape=(8, 9), dtype=np.dtype("u1"), axes="YX")
    writer[:, :] = np.full((8, 9), 7, np.uint8)
    writer.close()
    assert open_image(f"{web}/moved/a.ome.zarr").read().max() == 7  # it would work
    monkeypatch.setattr(fsspec.config, "conf", {})
    fsspec.get_filesystem_class("http").clear_instance_cache()
    refuse_redirects()
    try:
        assert open_image(f"{web}/a.ome.zarr").read().max() == 7
        with pytest.raises(ImageError, match="sends to another address"):
            open_image(f"{web}/moved/a.ome.zarr").read()
    finally:
        fsspec.get_filesystem_class("http").clear_instance_cache()
