from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from scopezoo.errors import ImageError, UsageError
from scopezoo.formats import open_image, tiff_read
from scopezoo.image import Image

STACK = np.arange(3 * 40 * 50, dtype=np.uint16).reshape(3, 40, 50)
UM = 0.25

CALIBRATED: dict[str, tuple[str, tuple[int, ...], str, dict[str, float], tuple[str, ...]]] = {
    "xy_16bit__nuclei_with_background.tif": ("YX", (249, 212), "u2", {"Y": 0.32, "X": 0.32}, ()),
    "xy_16bit_calibrated__nuclei_various_shapes.tif": (
        "YX",
        (253, 269),
        "u2",
        {"Y": 0.2, "X": 0.2},
        (),
    ),
    "xy_8bit__mitocheck_incenp_t1.tif": ("YX", (364, 260), "u1", {"Y": 0.1, "X": 0.1}, ()),
    "xy_8bit__nuclei_PLK1_control.tif": (
        "YX",
        (682, 682),
        "u1",
        {"Y": 0.1660532, "X": 0.1660532},
        (),
    ),
    "xy_8bit_labels__mitocheck_incenp_t1.tif": ("YX", (364, 260), "u1", {"Y": 0.1, "X": 0.1}, ()),
    "xy_calibrated_16bit__cells_eres_noisy.tif": (
        "YX",
        (512, 512),
        "u2",
        {"Y": 0.2296737, "X": 0.2296737},
        (),
    ),
    "xy_calibrated_16bit__nuclear_protein_control.tif": (
        "YX",
        (1192, 1192),
        "u2",
        {"Y": 0.1132140, "X": 0.1132140},
        (),
    ),
    "xyc_16bit__embryo_transmission_fluorescence.tif": (
        "CYX",
        (2, 341, 341),
        "u2",
        {"Y": 0.39, "X": 0.39},
        (),
    ),
    "xyc_16bit__hela-cells.tif": (
        "YXC",
        (512, 672, 3),
        "u2",
        {"Y": 0.0514931, "X": 0.0514931},
        ("red", "green", "blue"),
    ),
    "xyc_16bit__nup_nuclei.tif": ("CYX", (2, 420, 476), "u2", {}, ()),
    "xyc_16bit__nup_nuclei/xy_8bit_labels__nuclei.tif": ("YX", (420, 476), "u1", {}, ()),
    # slice labels such as "c:1/2 - Snap-03.czi #1" name no channel
    "xyc_8bit__dapi_tublin.tif": ("CYX", (2, 730, 968), "u1", {"Y": 0.454, "X": 0.454}, ()),
    # no "spacing": in ImageJ 1 µm, because nobody said, where the other file has 3
    "xyz_8bit__mitotic_plate_badZcalibrated.tif": (
        "ZYX",
        (6, 263, 263),
        "u1",
        {"Y": 0.0851964, "X": 0.0851964},
        (),
    ),
    "xyz_8bit__mitotic_plate_calibrated.tif": (
        "ZYX",
        (6, 263, 263),
        "u1",
        {"Z": 3.0, "Y": 0.0851964, "X": 0.0851964},
        (),
    ),
    "xyz_8bit__nuclei_autothresh.tif": (
        "ZYX",
        (37, 118, 132),
        "u1",
        {"Z": 4.0, "Y": 0.8286432, "X": 0.8286432},
        (),
    ),
    "xyz_calibrated_16bit__golgi_bfa.tif": (
        "ZYX",
        (25, 137, 147),
        "u2",
        {"Z": 0.3876, "Y": 0.3514353, "X": 0.3514353},
        (),
    ),
    "../partseg_stack/one_nucleus.tiff": (
        "CYX",
        (4, 189, 156),
        "f4",
        {"Y": 0.077, "X": 0.077},
        ("channel 0", "ch 1", "ch 2", "ch 3"),
    ),
    "../partseg_stack/stack.tif": (
        "CYX",
        (4, 1024, 1024),
        "f4",
        {"Y": 0.0775220, "X": 0.0775220},
        (),
    ),
}
"""What the tags of the real files say, looked up in them by hand."""


def write(path: Path, data: Any = STACK, **options: Any) -> Path:
    options.setdefault("photometric", "minisblack")
    tifffile.imwrite(path, data, **options)
    return path


def overwrite(path: Path, tag: str, value: Any) -> Path:
    with tifffile.TiffFile(path, mode="r+b") as tif:
        tif.pages.first.tags[tag].overwrite(value)
    return path


@pytest.fixture
def allocated_little() -> Iterator[None]:
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6


class TestRealFiles:
    @pytest.mark.parametrize("name", CALIBRATED)
    def test_axes_and_calibration(self, shared_data: Path, name: str) -> None:
        axes, shape, dtype, sizes, channels = CALIBRATED[name]
        path = shared_data / "neubias_misc" / name
        image = open_image(path)
        assert (image.axes, image.shape, image.dtype) == (axes, shape, np.dtype(dtype))
        assert dict(image.pixel_size_um) == pytest.approx(sizes, rel=1e-6)
        assert image.channel_names == channels
        np.testing.assert_array_equal(image.read(), tifffile.imread(path))

    def test_no_file_is_left_out(self, shared_data: Path) -> None:
        folder = shared_data / "neubias_misc"
        found = {str(path.relative_to(folder)) for path in folder.rglob("*.tif*")}
        assert found == {name for name in CALIBRATED if not name.startswith("..")}

    def test_czi_says_what_to_do(self, shared_data: Path) -> None:
        with pytest.raises(
            ImageError, match=r"xyz__multiple_images\.czi is Zeiss CZI.*OME-TIFF.*Fiji"
        ):
            open_image(shared_data / "neubias_misc" / "xyz__multiple_images.czi")


class TestImageJ:
    def hyperstack(self, path: Path, axes: str = "ZYX", **metadata: Any) -> Image:
        shape = dict(zip("TZCYX", (2, 3, 4, 20, 30), strict=True))
        data = np.zeros([shape[axis] for axis in axes], np.uint16)
        metadata = {"axes": axes, **metadata}
        return open_image(
            write(path, data, imagej=True, resolution=(1 / UM, 1 / UM), metadata=metadata)
        )

    @pytest.mark.parametrize("axes", ["YX", "ZYX", "CYX", "TYX", "ZCYX", "TZYX", "TCYX", "TZCYX"])
    def test_two_to_five_axes(self, tmp_path: Path, axes: str) -> None:
        image = self.hyperstack(tmp_path / "a.tif", axes, unit="um", spacing=2, finterval=1.5)
        assert image.axes == axes
        sizes = {"Z": 2.0, "Y": UM, "X": UM}
        assert image.pixel_size_um == {axis: sizes[axis] for axis in "ZYX" if axis in axes}
        assert image.frame_interval_s == (1.5 if "T" in axes else None)

    @pytest.mark.parametrize("unit", ["micron", "micrometer", "\\u00B5m", "um"])
    def test_units(self, tmp_path: Path, unit: str) -> None:
        image = self.hyperstack(tmp_path / "a.tif", unit=unit, spacing=0.5)
        assert image.pixel_size_um == {"Z": 0.5, "Y": UM, "X": UM}

    @pytest.mark.parametrize("metadata", [{}, {"unit": "pixel"}, {"unit": ""}])
    def test_no_unit_is_no_size(self, tmp_path: Path, metadata: dict[str, Any]) -> None:
        image = self.hyperstack(tmp_path / "a.tif", spacing=1.0, **metadata)
        assert image.pixel_size_um == {}

    def test_units_by_axis_and_of_time(self, tmp_path: Path) -> None:
        image = self.hyperstack(
            tmp_path / "a.tif", "TZYX", unit="nm", zunit="um", spacing=2, finterval=2, tunit="min"
        )
        assert image.pixel_size_um == pytest.approx({"Z": 2.0, "Y": UM / 1000, "X": UM / 1000})
        assert image.frame_interval_s == 120

    @pytest.mark.parametrize("spacing", [0, -0.4, "nan", "inf"])
    def test_a_spacing_that_is_none(self, tmp_path: Path, spacing: object) -> None:
        image = self.hyperstack(tmp_path / "a.tif", unit="um", spacing=spacing)
        assert "Z" not in image.pixel_size_um

    @pytest.mark.parametrize(
        ("labels", "names"),
        [
            (["DAPI", "GFP", "RFP", "Cy5"] * 3, ("DAPI", "GFP", "RFP", "Cy5")),
            ([f"c:{i % 4 + 1}/4 - scan.czi" for i in range(12)], ()),
            ([str(i) for i in range(12)], ()),
            (["a.tif", "b.tif", "c.tif", "d.tif"] * 3, ()),
            (["DAPI"] * 12, ()),
            ([f"plane {i}" for i in range(12)], ()),
        ],
    )
    def test_labels_that_name_channels(
        self, tmp_path: Path, labels: list[str], names: tuple[str, ...]
    ) -> None:
        assert self.hyperstack(tmp_path / "a.tif", "ZCYX", Labels=labels).channel_names == names

    def test_a_stack_that_says_no_more_is_z(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tif", description="ImageJ=1.53t\nimages=3\n", metadata=None)
        assert open_image(path).axes == "ZYX"


class TestOme:
    @pytest.mark.parametrize("axes", ["CYX", "ZYX", "TYX", "CZYX", "TCZYX", "TZCYX"])
    def test_axes_and_calibration(self, tmp_path: Path, axes: str) -> None:
        shape = dict(zip("TZCYX", (2, 3, 4, 20, 30), strict=True))
        data = np.random.default_rng(0).random([shape[axis] for axis in axes], np.float32)
        metadata = {
            "axes": axes,
            "PhysicalSizeX": 250,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.25,
            "PhysicalSizeZ": 0.001,
            "PhysicalSizeZUnit": "mm",
            "TimeIncrement": 500,
            "TimeIncrementUnit": "ms",
            "Channel": {"Name": ["DAPI", "GFP", "RFP", "Cy5"]},
        }
        if "C" not in axes:
            metadata["Channel"] = {"Name": ["DAPI"]}
        path = write(tmp_path / "a.ome.tif", data, metadata=metadata, compression="zlib")
        image = open_image(path)
        assert image.axes == axes
        expected = {"Z": 1.0, "Y": 0.25, "X": 0.25}
        assert dict(image.pixel_size_um) == pytest.approx(
            {axis: expected[axis] for axis in "ZYX" if axis in axes}
        )
        assert image.frame_interval_s == (0.5 if "T" in axes else None)
        assert image.channel_names == tuple(metadata["Channel"]["Name"])
        np.testing.assert_array_equal(image.read(), data)

    @pytest.mark.parametrize(
        ("metadata", "size"),
        [
            ({"PhysicalSizeX": 1.0}, None),
            ({"PhysicalSizeX": 1.0, "PhysicalSizeXUnit": "µm"}, 1.0),
            ({"PhysicalSizeX": 0.5}, 0.5),
            ({"PhysicalSizeX": 0.0}, None),
            ({"PhysicalSizeX": 1.0, "PhysicalSizeXUnit": "pixel"}, None),
            ({}, None),
        ],
    )
    def test_what_counts_as_known(
        self, tmp_path: Path, metadata: dict[str, Any], size: float | None
    ) -> None:
        path = write(tmp_path / "a.ome.tif", metadata={"axes": "ZYX", **metadata})
        assert open_image(path).pixel_size_um.get("X") == size

    def test_rgb_samples_are_channels(self, tmp_path: Path) -> None:
        data = np.zeros((4, 20, 30, 3), np.uint8)
        path = write(tmp_path / "a.ome.tif", data, photometric="rgb", metadata={"axes": "ZYXS"})
        image = open_image(path)
        assert (image.axes, image.channel_names) == ("ZYXC", ("red", "green", "blue"))

    def test_planes_that_are_not_there(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.ome.tif", metadata={"axes": "ZYX"})
        xml = tifffile.tiffcomment(path).replace('SizeZ="3"', 'SizeZ="5"')
        tifffile.tiffcomment(path, xml.encode())
        with pytest.raises(ImageError, match="lacks 2 of its 5 planes"):
            open_image(path)

    @pytest.mark.parametrize("name", ["../secret.tif", "/etc/secret.tif", "C:\\secret.tif", ".."])
    def test_no_other_folder_is_read(self, tmp_path: Path, name: str) -> None:
        path = write(tmp_path / "a.ome.tif", metadata={"axes": "ZYX"})
        xml = tifffile.tiffcomment(path).replace(
            'PlaneCount="3"/>',
            f'PlaneCount="3"><UUID FileName="{name}">urn:uuid:1</UUID></TiffData>',
        )
        tifffile.tiffcomment(path, xml.encode())
        with pytest.raises(ImageError, match="own folder"):
            open_image(path)

    def test_entities_are_refused(self, tmp_path: Path) -> None:
        xml = '<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a "lol">]><OME>&a;</OME>'
        path = write(tmp_path / "a.ome.tif", ome=False, description=xml, metadata=None)
        with pytest.raises(ImageError, match="DOCTYPE"):
            open_image(path)


class TestPlain:
    def test_a_stack_that_shape_cannot_tell(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tif", metadata=None)
        with pytest.raises(ImageError, match=r"a\.tif has shape \(3, 40, 50\).*--axes ZYX"):
            open_image(path)
        assert open_image(path, axes="tyx").axes == "TYX"

    def test_rgb_and_alpha(self, tmp_path: Path) -> None:
        for samples in (3, 4):
            data = np.random.default_rng(0).integers(0, 255, (20, 30, samples), np.uint8)
            image = open_image(write(tmp_path / "a.tif", data, photometric="rgb"))
            assert (image.axes, image.channel_names) == ("YXC", ("red", "green", "blue"))
            np.testing.assert_array_equal(image.read(), data[..., :3])

    @pytest.mark.parametrize(
        ("resolution", "unit", "size"),
        [
            (40_000, "centimeter", 0.25),
            (101_600, "inch", 0.25),
            (300, "inch", None),
            (72, "inch", None),
            (118.11, "centimeter", None),
            (40_000, "none", None),
            (1, "centimeter", None),
        ],
    )
    def test_resolution_of_a_microscope(
        self, tmp_path: Path, resolution: float, unit: str, size: float | None
    ) -> None:
        path = write(
            tmp_path / "a.tif",
            STACK[0],
            resolution=(resolution, resolution),
            resolutionunit=unit,
            metadata=None,
        )
        sizes = {} if size is None else {"Y": size, "X": size}
        assert dict(open_image(path).pixel_size_um) == pytest.approx(sizes)

    def test_the_largest_series(self, tmp_path: Path) -> None:
        path = tmp_path / "a.tif"
        with tifffile.TiffWriter(path) as tif:
            for size in (16, 64, 32):
                tif.write(np.full((size, size), size, np.uint8), metadata=None)
        assert open_image(path).shape == (64, 64)

    def test_one_bit_becomes_uint8(self, tmp_path: Path) -> None:
        data = np.random.default_rng(0).random((20, 32)) > 0.5
        image = open_image(write(tmp_path / "a.tif", data))
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image.read(), data)


STORED: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "big-endian": {"byteorder": ">"},
    "strips": {"compression": "lzw", "rowsperstrip": 7},
    "tiles": {"tile": (16, 32), "compression": "zlib", "predictor": True},
    "bigtiff": {"bigtiff": True, "compression": "zstd"},
    "uncompressed tiles": {"tile": (16, 16)},
}


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("whole_bytes", [0, tiff_read.WHOLE_BYTES])
def test_slices_are_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: str, whole_bytes: int
) -> None:
    monkeypatch.setattr(tiff_read, "WHOLE_BYTES", whole_bytes)
    image = open_image(write(tmp_path / "a.tif", metadata={"axes": "ZYX"}, **STORED[stored]))
    assert (image.axes, image.dtype) == ("ZYX", np.dtype(np.uint16))
    region = (slice(1, 3), slice(5, 33), slice(9, 41))
    np.testing.assert_array_equal(image.data[region], STACK[region])
    np.testing.assert_array_equal(image.read(), STACK)


@pytest.mark.parametrize("whole_bytes", [0, tiff_read.WHOLE_BYTES])
def test_levels_of_a_pyramid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole_bytes: int
) -> None:
    monkeypatch.setattr(tiff_read, "WHOLE_BYTES", whole_bytes)
    path = tmp_path / "a.ome.tif"
    options: dict[str, Any] = {"tile": (16, 16), "compression": "zlib", "photometric": "minisblack"}
    metadata = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2}
    with tifffile.TiffWriter(path) as tif:
        tif.write(STACK, subifds=1, metadata=metadata, **options)
        tif.write(STACK[:, ::2, ::2], subfiletype=1, **options)
    level = open_image(path, level=1)
    np.testing.assert_array_equal(level.read(), STACK[:, ::2, ::2])
    assert dict(level.pixel_size_um) == {"Z": 2.0, "Y": 1.0, "X": 1.0}
    with pytest.raises(UsageError, match="no level 2: it has 0 to 1"):
        open_image(path, level=2)


def zero_tiles(count: int) -> Iterator[bytes]:
    tile = zlib.compress(bytes(1024 * 1024))
    yield from [tile] * count


@pytest.mark.usefixtures("allocated_little")
class TestLyingHeaders:
    def test_a_megabyte_that_asks_for_900(self, tmp_path: Path) -> None:
        path = write(
            tmp_path / "bomb.tif",
            zero_tiles(900),
            shape=(30 * 1024, 30 * 1024),
            dtype=np.uint8,
            tile=(1024, 1024),
            compression="zlib",
        )
        assert path.stat().st_size < 1.2e6
        with pytest.raises(ImageError, match=r"bomb\.tif says that it holds 943\.7 MB"):
            open_image(path)

    def test_one_strip_of_two_gigabytes(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tif", STACK[0], rowsperstrip=40, compression="zlib")
        for tag in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            overwrite(path, tag, 40_000)
        with pytest.raises(ImageError, match=r"at most 1,073\.7 MB can be decoded at once"):
            open_image(path)

    def test_uncompressed_pixels_that_are_not_there(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tif", STACK[0], metadata=None)
        for tag in ("ImageLength", "RowsPerStrip"):
            overwrite(path, tag, 40_000)
        with pytest.raises(
            ImageError, match=r"truncated or damaged: its pixels need 4000000 bytes"
        ):
            open_image(path)

    def test_strips_outside_the_file(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tif", STACK[0], compression="zlib", metadata=None)
        overwrite(path, "StripOffsets", 10**9)
        with pytest.raises(ImageError, match=r"byte 10000\d+ of a file of"):
            open_image(path)

    @pytest.mark.parametrize("compression", [None, "zlib"])
    def test_truncated_half_way(self, tmp_path: Path, compression: str | None) -> None:
        path = write(tmp_path / "a.tif", STACK, compression=compression, metadata={"axes": "ZYX"})
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(ImageError, match=r"a\.tif"):
            open_image(path)


def test_many_files_leave_none_open(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", metadata={"axes": "ZYX"}, compression="zlib")
    images = [open_image(path) for _ in range(3)]
    path.unlink()
    path.touch()
    with pytest.raises(ImageError):
        images[0].read()


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_cut_imagej_stack_is_not_taken_for_a_plane(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.ones((12, 40, 50), np.uint16), imagej=True, metadata={"axes": "ZYX"})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ImageError, match="truncated"):
        open_image(path)
