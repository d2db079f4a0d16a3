"""What holds for every format that is written."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scopezoo.errors import FileError, UsageError
from scopezoo.formats import create_image, open_image, tiff_write
from scopezoo.formats.image_writer import ImageWriter
from scopezoo.image import Image

in_folder = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
sizes_um = st.dictionaries(st.sampled_from("ZYX"), st.floats(1e-3, 1e3), max_size=3)
NAMES = [".tif", ".ome.tif", ".ome.zarr", ".npy"]
TIFF_DTYPES = [*tiff_write.OME_DTYPES, "bool"]


@st.composite
def pixels(draw: st.DrawFn, dtypes: list[str]) -> tuple[str, NDArray[Any]]:
    """Axes in any order and an array of them; T, Z and C, where there, are 2 or more."""
    others = draw(st.lists(st.sampled_from("TCZ"), unique=True))
    axes = "".join(draw(st.permutations([*others, "Y", "X"])))
    shape = [draw(st.integers(1 if axis in "YX" else 2, 5)) for axis in axes]
    values = np.arange(np.prod(shape)).reshape(shape) % 120
    return axes, values.astype(draw(st.sampled_from(dtypes)))


def write(path: Path, axes: str, values: NDArray[Any], **options: Any) -> ImageWriter:
    """All of an image, in two regions, the later first."""
    writer = create_image(path, shape=values.shape, dtype=values.dtype, axes=axes, **options)
    half = values.shape[0] // 2
    rest = (slice(None),) * (values.ndim - 1)
    writer[slice(half, None), *rest] = values[half:]
    writer[slice(0, half), *rest] = values[:half]
    np.testing.assert_array_equal(writer.array[(slice(None), *rest)], values)
    writer.close()
    return writer


def reordered(values: NDArray[Any], axes: str, wanted: str) -> NDArray[Any]:
    return values.transpose([axes.index(axis) for axis in wanted])


def tree(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


class TestRoundTrip:
    @in_folder
    @given(
        image=pixels(TIFF_DTYPES),
        sizes=sizes_um,
        interval=st.none() | st.floats(1e-3, 1e4),
        named=st.booleans(),
        ending=st.sampled_from([".tif", ".ome.tif", ".ome.zarr"]),
        data=st.data(),
    )
    def test_pixels_axes_and_calibration_survive(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        image: tuple[str, NDArray[Any]],
        sizes: dict[str, float],
        interval: float | None,
        named: bool,
        ending: str,
        data: st.DataObject,
    ) -> None:
        axes, values = image
        channels = values.shape[axes.index("C")] if "C" in axes else 1
        text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9)
        name = text.map(str.strip).filter(bool)
        names = [data.draw(name) for _ in range(channels)] if named else []
        path = tmp_path_factory.mktemp("written") / f"a{ending}"
        write(
            path,
            axes,
            values,
            pixel_size_um=sizes,
            frame_interval_s=interval,
            channel_names=tuple(names),
        )
        found = open_image(path)
        assert sorted(found.axes) == sorted(axes)
        assert found.axes.endswith("YX")
        assert found.dtype == (np.uint8 if values.dtype == bool else values.dtype)
        np.testing.assert_array_equal(found.read(), reordered(values, axes, found.axes))
        known = {axis: size for axis, size in sizes.items() if axis in axes}
        assert dict(found.pixel_size_um) == pytest.approx(known, rel=1e-6)
        expected = interval if "T" in axes else None
        assert found.frame_interval_s == pytest.approx(expected)
        assert list(found.channel_names) == names

    @pytest.mark.parametrize("axes", ["TCZYX", "CZYX", "ZCYX", "CTYX", "TZCYX", "ZTCYX"])
    def test_tiff_keeps_the_order(self, tmp_path: Path, axes: str) -> None:
        values = np.arange(2 ** (len(axes) - 2) * 12, dtype=np.uint16)
        write(tmp_path / "a.tif", axes, values.reshape([2] * (len(axes) - 2) + [3, 4]))
        assert open_image(tmp_path / "a.tif").axes == axes

    def test_rgb_as_png(self, tmp_path: Path) -> None:
        for axes, shape in (("YX", (20, 30)), ("YXC", (20, 30, 3))):
            values = np.random.default_rng(0).integers(0, 2**16, shape, np.uint16)
            path = tmp_path / f"{axes}.png"
            write(path, axes, values)
            np.testing.assert_array_equal(open_image(path).read(), values)

    @pytest.mark.parametrize("closed", [False, True])
    @pytest.mark.parametrize("shape", [(40, 30), (40, 30, 3)])
    def test_png_goes_on_after_a_kill(
        self, tmp_path: Path, shape: tuple[int, ...], closed: bool
    ) -> None:
        axes = "YXC"[: len(shape)]
        values = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
        write(tmp_path / "whole.png", axes, values)
        path = tmp_path / "killed.png"
        options: dict[str, Any] = {"shape": shape, "dtype": "u1", "axes": axes, "resume": True}
        rest = (slice(None),) * (len(shape) - 1)
        first = create_image(path, **options)
        assert not first.resumed
        first[slice(0, 25), *rest] = values[:25]
        if closed:
            first.close()
        del first
        second = create_image(path, **options)
        assert second.resumed
        second[slice(25, 40), *rest] = values[25:]
        second.close()
        second.close()
        np.testing.assert_array_equal(second.array[(slice(None), *rest)], values)
        assert path.read_bytes() == (tmp_path / "whole.png").read_bytes()
        assert {found.name for found in tmp_path.iterdir()} == {"whole.png", "killed.png"}

    @pytest.mark.parametrize("closed", [False, True])
    def test_png_goes_on_with_the_same_image_only(self, tmp_path: Path, closed: bool) -> None:
        path = tmp_path / "a.png"
        writer = create_image(path, shape=(4, 4), dtype="u1", axes="YX")
        if closed:
            writer.close()
        with pytest.raises(FileError, match="already exists"):
            create_image(path, shape=(4, 4), dtype="u1", axes="YX")
        with pytest.raises(FileError, match="another image"):
            create_image(path, shape=(5, 6), dtype="u1", axes="YX", resume=True)

    @pytest.mark.parametrize("dtype", ["i8", "f2", "u4"])
    def test_npy_has_any_number(self, tmp_path: Path, dtype: str) -> None:
        values = np.arange(24).reshape(2, 3, 4).astype(dtype)
        write(tmp_path / "a.npy", "YXC", values)
        np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), values)

    def test_what_is_not_given_is_that_of_the_input(self, tmp_path: Path) -> None:
        like = Image(np.zeros((2, 3, 20, 30)), "TCYX", {"Y": 0.5, "X": 0.4}, 2.0, ("a", "b", "c"))
        write(tmp_path / "a.tif", "TCYX", np.zeros((2, 3, 20, 30), np.uint8), like=like)
        found = open_image(tmp_path / "a.tif")
        assert dict(found.pixel_size_um) == pytest.approx({"Y": 0.5, "X": 0.4})
        assert (found.frame_interval_s, found.channel_names) == (2.0, ("a", "b", "c"))
        write(tmp_path / "b.tif", "TYX", np.zeros((2, 20, 30), np.uint8), like=like)
        assert open_image(tmp_path / "b.tif").channel_names == ()


class TestTiffForms:
    @pytest.mark.parametrize(
        ("name", "axes", "dtype", "is_imagej"),
        [
            ("a.tif", "TZCYX", "u2", True),
            ("a.tif", "ZYX", "f4", True),
            ("a.tif", "YXC", "u1", True),
            ("a.tif", "CZYX", "u2", False),
            ("a.tif", "ZYX", "u4", False),
            ("a.ome.tif", "ZYX", "u2", False),
        ],
    )
    def test_imagej_where_it_can(
        self, tmp_path: Path, name: str, axes: str, dtype: str, is_imagej: bool
    ) -> None:
        write(tmp_path / name, axes, np.zeros([3] * len(axes), dtype))
        with tifffile.TiffFile(tmp_path / name) as tif:
            assert (tif.is_imagej, tif.is_ome) == (is_imagej, not is_imagej)
            assert not tif.is_bigtiff

    def test_bigtiff_beyond_32_bits(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tiff_write, "CLASSIC_BYTES", 1000)
        write(tmp_path / "a.tif", "ZYX", np.ones((3, 20, 30), np.uint8))
        with tifffile.TiffFile(tmp_path / "a.tif") as tif:
            assert tif.is_bigtiff
            assert tif.is_ome

    def test_ome_xml_is_valid(self, tmp_path: Path) -> None:
        names = ('<"DAPI" & GFP>', "µ")
        write(tmp_path / "a.ome.tif", "CYX", np.ones((2, 20, 30), np.uint8), channel_names=names)
        assert open_image(tmp_path / "a.ome.tif").channel_names == names


@pytest.mark.parametrize("name", NAMES)
class TestAnyFormat:
    def test_same_content_same_bytes(self, tmp_path: Path, name: str) -> None:
        values = np.random.default_rng(0).random((2, 3, 30, 40), np.float32)
        options: dict[str, Any] = {
            "pixel_size_um": {"Y": 0.5, "X": 0.5},
            "channel_names": ("a", "b"),
        }
        for folder in ("one", "two"):
            (tmp_path / folder).mkdir()
            write(tmp_path / folder / f"{folder}{name}", "CZYX", values, **options)
        one = tree(tmp_path / "one" / f"one{name}")
        assert one == tree(tmp_path / "two" / f"two{name}")
        assert [path.name for path in (tmp_path / "one").iterdir()] == [f"one{name}"]

    def test_goes_on_after_a_kill(self, tmp_path: Path, name: str) -> None:
        values = np.random.default_rng(0).integers(0, 255, (4, 700, 40), np.uint8)
        options: dict[str, Any] = {"shape": values.shape, "dtype": "u1", "axes": "ZYX"}
        write(tmp_path / f"whole{name}", "ZYX", values)
        path = tmp_path / f"killed{name}"
        first = create_image(path, resume=True, **options)
        assert not first.resumed
        first[slice(0, 2), slice(0, 700), slice(0, 40)] = values[:2]
        del first
        if path.is_dir():
            (path / "0" / "c" / "0.0123.partial").write_bytes(b"half a chunk")
        second = create_image(path, resume=True, **options)
        assert second.resumed
        second[slice(2, 4), slice(0, 700), slice(0, 40)] = values[2:]
        second.close()
        second.close()
        assert tree(path) == tree(tmp_path / f"whole{name}")

    def test_what_exists_is_not_overwritten(self, tmp_path: Path, name: str) -> None:
        values = np.ones((20, 30), np.uint8)
        write(tmp_path / f"a{name}", "YX", values)
        before = tree(tmp_path / f"a{name}")
        with pytest.raises(FileError, match="already exists"):
            write(tmp_path / f"a{name}", "YX", values * 2)
        with pytest.raises(FileError, match="another image"):
            create_image(tmp_path / f"a{name}", shape=(5, 6), dtype="u1", axes="YX", resume=True)
        assert tree(tmp_path / f"a{name}") == before

    def test_numbers_that_would_not_fit_are_not_cut(self, tmp_path: Path, name: str) -> None:
        writer = create_image(tmp_path / f"a{name}", shape=(4, 4), dtype="u1", axes="YX")
        with pytest.raises(TypeError):
            writer[slice(0, 4), slice(0, 4)] = np.full((4, 4), 0.7)

    def test_a_folder_that_is_not_there(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(FileError, match=r"cannot be written: [^\n]+$"):
            create_image(tmp_path / "file" / f"a{name}", shape=(4, 4), dtype="u1", axes="YX")


@pytest.mark.parametrize("name", [".tif", ".ome.tif", ".npy", ".png"])
@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="disk space cannot be reserved here")
def test_a_disk_that_is_too_small_says_so_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(FileError, match="the disk is full"):
        create_image(tmp_path / f"a{name}", shape=(4, 4), dtype="u1", axes="YX")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "axes", "message"),
    [
        ("a.jpg", (4, 4), "u1", "YX", "expected .tif"),
        ("a", (4, 4), "u1", "YX", "expected .tif"),
        ("a.tif", (4, 4), "i8", "YX", "TIFF cannot hold int64"),
        ("a.tif", (4, 4, 2), "u1", "YXQ", "letters of TCZYX"),
        ("a.tif", (4, 0), "u1", "YX", "no pixels"),
        ("a.png", (4, 4), "f4", "YX", "PNG holds uint8 or uint16"),
        ("a.png", (4, 4, 2), "u1", "YXC", "PNG holds 3 channels"),
        ("a.png", (4, 4, 4), "u1", "ZYX", "PNG holds uint8 or uint16"),
    ],
)
def test_what_no_file_can_be(
    tmp_path: Path, name: str, shape: tuple[int, ...], dtype: str, axes: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        create_image(tmp_path / name, shape=shape, dtype=dtype, axes=axes)
    assert not list(tmp_path.iterdir())
