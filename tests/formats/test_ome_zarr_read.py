from __future__ import annotations

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from scopezoo.errors import ImageError, MissingDependencyError, UsageError
from scopezoo.formats import ome_zarr_read, open_image

VALUES = np.random.default_rng(0).integers(0, 4000, (2, 3, 64, 80), np.uint16)
SCALE = [1.0, 2.0, 0.25, 0.5]
AXES = [
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]
OMERO = {"channels": [{"label": "DAPI", "color": "FF0000"}, {"label": "GFP", "color": "00FF00"}]}


def make(path: Path, zarr_format: int, **changes: Any) -> Path:
    """A store as others write it: two levels, written with zarr alone."""
    group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)  # type: ignore[arg-type]
    datasets = []
    for level, step in ((0, 1), (1, 2)):
        pixels = VALUES[..., ::step, ::step]
        group.create_array(str(level), data=pixels, chunks=(1, 1, 32, 32))
        scale = [*SCALE[:2], *(size * step for size in SCALE[2:])]
        transformations = [
            {"type": "scale", "scale": scale},
            {"type": "translation", "translation": [0, 0, 5, 7]},
        ]
        datasets.append({"path": str(level), "coordinateTransformations": transformations})
    multiscale: dict[str, Any] = {"axes": AXES, "datasets": datasets, **changes}
    if zarr_format == 2:
        group.attrs.put({"multiscales": [{"version": "0.4", **multiscale}], "omero": OMERO})
    else:
        group.attrs.put({"ome": {"version": "0.5", "multiscales": [multiscale], "omero": OMERO}})
    return path


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("web")
    handler = partial(Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize("zarr_format", [2, 3])
class TestEitherVersion:
    @pytest.mark.parametrize("level", [0, 1])
    def test_levels(self, tmp_path: Path, zarr_format: int, level: int) -> None:
        image = open_image(make(tmp_path / "a.zarr", zarr_format), level=level)
        step = level + 1
        assert (image.axes, image.channel_names) == ("CZYX", ("DAPI", "GFP"))
        assert image.pixel_size_um == {"Z": 2.0, "Y": 0.25 * step, "X": 0.5 * step}
        expected = VALUES[..., ::step, ::step]
        np.testing.assert_array_equal(image.read(), expected)
        np.testing.assert_array_equal(
            image.read(C=slice(1, 2), Y=slice(5, 20)), expected[1:2, :, 5:20]
        )

    @pytest.mark.parametrize("level", [-1, 2])
    def test_a_level_that_it_lacks(self, tmp_path: Path, zarr_format: int, level: int) -> None:
        with pytest.raises(UsageError, match=rf"no level {level}: it has 0 to 1"):
            open_image(make(tmp_path / "a.zarr", zarr_format), level=level)

    def test_a_scale_of_all_levels_multiplies(self, tmp_path: Path, zarr_format: int) -> None:
        of_all = [{"type": "scale", "scale": [1, 1, 4, 0.1]}]
        path = make(tmp_path / "a.zarr", zarr_format, coordinateTransformations=of_all)
        image = open_image(path, level=1)
        assert dict(image.pixel_size_um) == pytest.approx({"Z": 2.0, "Y": 2.0, "X": 0.1})

    def test_units(self, tmp_path: Path, zarr_format: int) -> None:
        axes: list[dict[str, str]] = [
            {"name": "t", "type": "time", "unit": "millisecond"},
            {"name": "z", "type": "space"},
            {"name": "y", "type": "space", "unit": "nanometer"},
            {"name": "x", "type": "space", "unit": "pixel"},
        ]
        image = open_image(make(tmp_path / "a.zarr", zarr_format, axes=axes))
        assert (image.axes, image.frame_interval_s) == ("TZYX", 0.001)
        assert dict(image.pixel_size_um) == pytest.approx({"Y": 0.00025})
        assert image.channel_names == ()

    def test_from_a_web_server(
        self, web: tuple[str, Path], zarr_format: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url, folder = web
        make(folder / f"{zarr_format}.zarr", zarr_format)
        image = open_image(f"{url}/{zarr_format}.zarr", level=1)
        np.testing.assert_array_equal(image.read(), VALUES[..., ::2, ::2])
        with pytest.raises(ImageError, match=r"^http://127\.0\.0\.1:\d+/none\.zarr is no OME-Zarr"):
            open_image(f"{url}/none.zarr")
        with pytest.raises(ImageError, match=r"^http://localhost:9/a\.zarr [^\n]*$"):
            open_image("http://user:secret@localhost:9/a.zarr?token=secret")
        monkeypatch.setattr(ome_zarr_read, "find_spec", lambda _: None)
        with pytest.raises(MissingDependencyError, match=r"scopezoo\[remote\]"):
            open_image(f"{url}/{zarr_format}.zarr")

    @pytest.mark.parametrize(
        "changes",
        [
            {"datasets": []},
            {"datasets": [{"path": "7"}]},
            {"datasets": [{"path": "../../etc"}]},
            {"datasets": [{}]},
            {"axes": AXES[1:]},
            {"axes": [{"name": "q"}, *AXES[1:]]},
            {"axes": 7},
        ],
    )
    def test_metadata_that_cannot_be(
        self, tmp_path: Path, zarr_format: int, changes: dict[str, Any]
    ) -> None:
        with pytest.raises((ImageError, UsageError), match=r"a\.zarr") as caught:
            open_image(make(tmp_path / "a.zarr", zarr_format, **changes))
        assert "\n" not in str(caught.value)

    def test_a_damaged_chunk(self, tmp_path: Path, zarr_format: int) -> None:
        path = make(tmp_path / "a.zarr", zarr_format)
        chunk = "0/0.0.0.0" if zarr_format == 2 else "0/c/0/0/0/0"
        (path / chunk).write_bytes(b"damaged")
        image = open_image(path)
        with pytest.raises(ImageError, match=r"a\.zarr cannot be read"):
            image.read()

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"zarr_format": 9}'])
    def test_damaged_json(self, tmp_path: Path, zarr_format: int, text: str) -> None:
        path = make(tmp_path / "a.zarr", zarr_format)
        (path / ("0/.zarray" if zarr_format == 2 else "0/zarr.json")).write_text(text)
        with pytest.raises(ImageError, match=r"a\.zarr"):
            open_image(path)

    def test_other_groups_say_what_to_give(self, tmp_path: Path, zarr_format: int) -> None:
        for metadata, message in (
            ({"plate": {}}, "is a plate or a well"),
            ({"labels": ["nuclei"]}, "give one: .*/nuclei"),
            ({"notes": 1}, "without OME-Zarr multiscales"),
        ):
            path = tmp_path / "a.zarr"
            group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)  # type: ignore[arg-type]
            group.attrs.put(metadata if zarr_format == 2 else {"ome": metadata})
            with pytest.raises(ImageError, match=message):
                open_image(path)


def test_what_bioformats2raw_writes(tmp_path: Path) -> None:
    zarr.open_group(str(tmp_path), mode="w", zarr_format=2).attrs.put({"bioformats2raw.layout": 3})
    make(tmp_path / "0", 2)
    assert open_image(tmp_path).axes == "CZYX"


def test_a_chunk_that_is_too_large(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zarr", 3)
    described = json.loads((path / "0" / "zarr.json").read_text())
    described["shape"] = [1, 1, 10**6, 10**6]
    described["chunk_grid"]["configuration"]["chunk_shape"] = [1, 1, 10**5, 10**5]
    (path / "0" / "zarr.json").write_text(json.dumps(described))
    with pytest.raises(ImageError, match=r"has a chunk of 20,000\.0 MB"):
        open_image(path)


def test_the_extra_is_only_asked_for_urls(tmp_path: Path) -> None:
    assert find_spec("fsspec")
    sys.modules.pop("aiohttp", None)
    open_image(make(tmp_path / "a.zarr", 3)).read()
    assert "aiohttp" not in sys.modules
